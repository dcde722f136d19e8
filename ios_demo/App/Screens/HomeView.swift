import SwiftUI

/// Where everything starts: take or choose a photo, and look after the photos to learn from.
struct HomeView: View {
    @Environment(Booth.self) private var booth
    @Environment(\.verticalSizeClass) private var height

    var body: some View {
        Group {
            if let problem = booth.problem {
                ProblemView(problem: problem, leave: { booth.problem = nil }, choose: booth.take)
            } else {
                home
            }
        }
        .task { await booth.refresh() }
    }

    private var home: some View {
        Page {
            Image("Hero")
                .resizable()
                .aspectRatio(contentMode: .fit)
                .frame(maxWidth: height == .compact ? 140 : 240)
                .clipShape(Circle())
                .frame(maxWidth: .infinity)
                .accessibilityLabel("A face, coarse on the left and clear on the right")
            VStack(alignment: .leading, spacing: Space.one) {
                Text("Tiny face in, sharp face out")
                    .font(.largeTitle.bold())
                    .accessibilityAddTraits(.isHeader)
                Text("With the person’s own features, from photos that you choose. All of it happens on this device.")
                    .foregroundStyle(Color.ink2)
            }
            galleryCard
        } foot: {
            Button {
                booth.path.append(.camera)
            } label: {
                Label("Take a photo", systemImage: "camera")
            }
            .buttonStyle(.filled)
            PhotoChooser(title: "Choose a photo", symbol: "photo", isFilled: false, choose: booth.take)
            // What developers need stands behind the version.
            Menu {
                Button("Measurements") { booth.path.append(.measure) }
                Button("Golden vectors") { booth.path.append(.golden) }
            } label: {
                Text("Version \(AppVersion.text)")
                    .font(.caption)
                    .foregroundStyle(Color.ink2)
                    .frame(minHeight: 44)
            }
        }
    }

    private var galleryCard: some View {
        Button {
            booth.path.append(.gallery)
        } label: {
            HStack(spacing: Space.two) {
                VStack(alignment: .leading, spacing: Space.half) {
                    Text("Photos to learn from")
                        .font(.headline)
                        .foregroundStyle(Color.ink)
                    Text(remembered)
                        .font(.subheadline)
                        .foregroundStyle(Color.ink2)
                }
                Spacer()
                Image(systemName: "chevron.forward")
                    .foregroundStyle(Color.ink2)
                    .accessibilityHidden(true)
            }
            .padding(Space.two)
            .background(Color.surface, in: RoundedRectangle(cornerRadius: Space.radius))
        }
        .buttonStyle(.plain)
    }

    private var remembered: LocalizedStringKey {
        switch booth.remembered {
        case .unknown: "…"
        case .count(0): "None yet. Two or three sharp ones are enough."
        case .count(let count): "\(count) photos are remembered"
        case .problem(let problem): problem.title
        }
    }
}
