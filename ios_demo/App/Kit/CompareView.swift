import SwiftUI

/// Two pictures of one scene with a line between them that follows the finger.
struct CompareView: View {
    let before: Bitmap
    let after: Bitmap
    /// How much of the result shows, 0 to 1.
    let strength: Double
    /// Where the line is: 0 shows only the result, 1 only what was there before.
    @Binding var split: Double
    @Environment(\.accessibilityReduceMotion) private var reduceMotion

    var body: some View {
        GeometryReader { space in
            ZStack(alignment: .leading) {
                picture(before)
                picture(after)
                    .opacity(strength)
                    .mask(alignment: .leading) { Rectangle().padding(.leading, split * space.size.width) }
                line(in: space.size)
            }
            .overlay(alignment: .topLeading) { word("Before", isShown: split > 0.3) }
            .overlay(alignment: .topTrailing) { word("After", isShown: split < 0.7) }
            .contentShape(Rectangle())
            .gesture(
                DragGesture(minimumDistance: 0).onChanged { drag in
                    split = min(max(drag.location.x / max(space.size.width, 1), 0), 1)
                })
        }
        .aspectRatio(Double(after.image.width) / Double(max(after.image.height, 1)), contentMode: .fit)
        .clipShape(RoundedRectangle(cornerRadius: Space.radius))
        .accessibilityElement()
        .accessibilityLabel("Before and after")
        .accessibilityValue("The line is at \(Int((split * 100).rounded())) percent")
        .accessibilityHint("Swipe up or down to move it")
        .accessibilityAdjustableAction { direction in
            switch direction {
            case .increment: move(by: 0.1)
            case .decrement: move(by: -0.1)
            @unknown default: break
            }
        }
    }

    private func move(by step: Double) {
        let to = min(max(split + step, 0), 1)
        if reduceMotion { split = to } else { withAnimation(.snappy) { split = to } }
    }

    private func picture(_ bitmap: Bitmap) -> some View {
        Image(decorative: bitmap.image, scale: 1)
            .resizable()
            .interpolation(.high)
            .aspectRatio(contentMode: .fit)
    }

    private func line(in size: CGSize) -> some View {
        Rectangle()
            .fill(.white)
            .frame(width: 2)
            .overlay {
                Image(systemName: "chevron.left.chevron.right")
                    .font(.headline)
                    .foregroundStyle(.black)
                    .padding(10)
                    .background(.white, in: Circle())
            }
            .offset(x: split * size.width - 1)
    }

    private func word(_ text: LocalizedStringKey, isShown: Bool) -> some View {
        Text(text)
            .font(.caption.bold())
            .foregroundStyle(.white)
            .padding(.horizontal, 12)
            .padding(.vertical, 6)
            .background(.black.opacity(0.6), in: Capsule())
            .padding(12)
            .opacity(isShown ? 1 : 0)
    }
}
