import SwiftUI

/// The booth's colours; each is a pair in the asset catalog.
extension Color {
    static let paper = Color("Paper")
    static let surface = Color("Surface")
    static let surface2 = Color("Surface2")
    static let ink = Color("Ink")
    static let ink2 = Color("Ink2")
    static let accent = Color("Accent")
    static let onAccent = Color("OnAccent")
    static let tonal = Color("Tonal")
    static let onTonal = Color("OnTonal")
}

/// Distances on one grid of 8 points.
enum Space {
    static let half: CGFloat = 4
    static let one: CGFloat = 8
    static let two: CGFloat = 16
    static let three: CGFloat = 24
    static let radius: CGFloat = 16
    /// The widest that text runs.
    static let column: CGFloat = 560
}

/// A wide button; filled for what a screen is for, tonal for what else can be done.
struct WideButtonStyle: ButtonStyle {
    var fill = Color.accent
    var ink = Color.onAccent
    @Environment(\.isEnabled) private var isEnabled

    func makeBody(configuration: Configuration) -> some View {
        configuration.label
            .font(.headline)
            .foregroundStyle(ink)
            .padding(.horizontal, Space.two)
            .frame(maxWidth: .infinity, minHeight: 56)
            .background(fill, in: Capsule())
            .opacity(isEnabled ? (configuration.isPressed ? 0.7 : 1) : 0.4)
            .contentShape(Capsule())
    }
}

extension ButtonStyle where Self == WideButtonStyle {
    static var filled: WideButtonStyle { WideButtonStyle() }
    static var tonal: WideButtonStyle { WideButtonStyle(fill: .tonal, ink: .onTonal) }
}

/// A screen's content in a column that is no wider than reads well, and what can be done below it.
struct Page<Content: View, Foot: View>: View {
    var isWide = false
    @ViewBuilder let content: Content
    @ViewBuilder let foot: Foot

    var body: some View {
        ScrollView {
            VStack(alignment: .leading, spacing: Space.three) { content }
                .padding(.horizontal, Space.three)
                .padding(.vertical, Space.two)
                .frame(maxWidth: isWide ? 2 * Space.column : Space.column)
                .frame(maxWidth: .infinity)
        }
        .safeAreaInset(edge: .bottom, spacing: 0) {
            VStack(spacing: Space.one) { foot }
                .padding(.horizontal, Space.three)
                .padding(.vertical, Space.one)
                .frame(maxWidth: isWide ? 2 * Space.column : Space.column)
                .frame(maxWidth: .infinity)
                .background(Color.paper)
        }
        .background(Color.paper)
    }
}

/// Something that takes a while, and what it is.
struct Busy: View {
    let label: LocalizedStringKey

    var body: some View {
        ProgressView(label)
            .controlSize(.large)
            .frame(maxWidth: .infinity, minHeight: 240)
    }
}

/// A picture of ours in round corners, as wide as there is room.
struct Picture: View {
    let image: Bitmap?
    var isSmooth = true

    var body: some View {
        if let image {
            Image(decorative: image.image, scale: 1)
                .resizable()
                .interpolation(isSmooth ? .high : .none)
                .aspectRatio(contentMode: .fit)
                .clipShape(RoundedRectangle(cornerRadius: 12))
        } else {
            RoundedRectangle(cornerRadius: 12)
                .fill(Color.surface2)
                .aspectRatio(1, contentMode: .fit)
        }
    }
}

/// Faces to choose from.
struct FaceGrid: View {
    let faces: [Bitmap?]
    let label: (Int) -> LocalizedStringKey
    var leftOut: Set<Int> = []
    let choose: (Int) -> Void

    var body: some View {
        LazyVGrid(columns: [GridItem(.adaptive(minimum: 96), spacing: Space.one)], spacing: Space.one) {
            ForEach(faces.indices, id: \.self) { i in
                Button {
                    choose(i)
                } label: {
                    Picture(image: faces[i])
                }
                .buttonStyle(.plain)
                .opacity(leftOut.contains(i) ? 0.3 : 1)
                .accessibilityLabel(label(i))
                .accessibilityAddTraits(leftOut.contains(i) ? [] : .isSelected)
            }
        }
    }
}
