import PhotosUI
import SwiftUI

/// The photos that were learned from: add several, see why one was refused, forget one, delete everything.
struct GalleryView: View {
    @State var model: GalleryModel
    @Environment(Booth.self) private var booth
    @Environment(\.dismiss) private var dismiss
    @State private var picked: [PhotosPickerItem] = []
    @State private var toForget: GalleryModel.Tile?
    @State private var asksToForget = false
    @State private var asksToWipe = false

    private static let most = 20

    var body: some View {
        Group {
            if let problem = model.problem {
                ProblemView(problem: problem, leave: { leave(problem) }, choose: booth.take)
            } else if let tiles = model.tiles {
                gallery(tiles)
            } else {
                Busy(label: "Looking for photos")
            }
        }
        .navigationTitle("Photos to learn from")
        .navigationBarTitleDisplayMode(.inline)
        .task { await model.refresh() }
        // The choice as it was drawn: when this begins, another may have been made, which has a task of its own.
        .task(id: picked) { [picked] in await learn(picked) }
        .sheet(item: $model.presented) { QuestionView(question: $0, answer: model.reply) }
        .alert("Forget this photo?", isPresented: $asksToForget, presenting: toForget) { tile in
            Button("Delete", role: .destructive) { Task { await model.forget(tile) } }
            Button("Cancel", role: .cancel) {}
        } message: { _ in
            Text("What was learned from it is deleted. The photo itself stays where it is.")
        }
        .alert("Delete everything?", isPresented: $asksToWipe) {
            Button("Delete", role: .destructive) { Task { await model.wipe() } }
            Button("Cancel", role: .cancel) {}
        } message: {
            Text(
                "All that was learned from \(model.tiles?.count ?? 0) photos is overwritten and deleted, with the last photo that was restored. Your own photos stay where they are."
            )
        }
    }

    private func gallery(_ tiles: [GalleryModel.Tile]) -> some View {
        Page(isWide: true) {
            if tiles.isEmpty {
                empty
            } else {
                Text(
                    "This is how each photo is remembered: the picture is what the stored description amounts to, and the photo itself is not kept."
                )
                .foregroundStyle(Color.ink2)
                LazyVGrid(columns: [GridItem(.adaptive(minimum: 96), spacing: Space.one)], spacing: Space.two) {
                    ForEach(tiles) { tile in cell(tile) }
                }
            }
            if !model.notUsed.isEmpty { notUsed }
        } foot: {
            if let progress = model.progress {
                Text("Looking at photo \(progress.done + 1) of \(progress.all)")
                    .font(.subheadline)
                    .accessibilityAddTraits(.updatesFrequently)
            }
            PhotosPicker(
                selection: $picked, maxSelectionCount: Self.most, selectionBehavior: .ordered, matching: .images,
                preferredItemEncoding: .current
            ) {
                Label("Add photos", systemImage: "plus")
            }
            .buttonStyle(.filled)
            .disabled(model.isLearning)
            if !tiles.isEmpty {
                Button("Delete everything", role: .destructive) { asksToWipe = true }
                    .frame(minHeight: 44)
                    .disabled(model.isLearning)
            }
        }
    }

    private var empty: some View {
        VStack(spacing: Space.two) {
            Image(systemName: "photo.stack")
                .font(.largeTitle)
                .foregroundStyle(Color.accent)
                .accessibilityHidden(true)
            Text("Nothing learned yet")
                .font(.title2.bold())
                .accessibilityAddTraits(.isHeader)
            Text("Choose three to five sharp photos of one person, of different days if you can. Faces should fill a good part of them.")
                .foregroundStyle(Color.ink2)
                .multilineTextAlignment(.center)
        }
        .frame(maxWidth: .infinity, minHeight: 320)
    }

    private func cell(_ tile: GalleryModel.Tile) -> some View {
        Button {
            toForget = tile
            asksToForget = true
        } label: {
            VStack(alignment: .leading, spacing: Space.half) {
                Picture(image: tile.picture, isSmooth: false)
                Text("Photo \(tile.number)")
                    .font(.subheadline.bold())
                    .foregroundStyle(Color.ink)
                Text("Sharp \(tile.sharpness) %")
                    .font(.caption)
                    .foregroundStyle(Color.ink2)
            }
        }
        .buttonStyle(.plain)
        .accessibilityElement(children: .ignore)
        .accessibilityAddTraits(.isButton)
        .accessibilityLabel("Photo \(tile.number), sharpness \(tile.sharpness) percent")
        .accessibilityHint("Double tap to forget it")
    }

    private var notUsed: some View {
        VStack(alignment: .leading, spacing: Space.two) {
            Text("Not used")
                .font(.headline)
                .accessibilityAddTraits(.isHeader)
            ForEach(model.notUsed) { one in
                HStack(alignment: .top, spacing: Space.one) {
                    Image(systemName: "exclamationmark.circle")
                        .foregroundStyle(Color.accent)
                        .accessibilityHidden(true)
                    VStack(alignment: .leading, spacing: Space.half) {
                        if !one.name.isEmpty {
                            Text(verbatim: one.name)
                                .font(.subheadline.bold())
                                .lineLimit(1)
                                .truncationMode(.middle)
                        }
                        Text(one.reason.sentence)
                            .font(.subheadline)
                            .foregroundStyle(Color.ink2)
                    }
                }
                .accessibilityElement(children: .combine)
            }
        }
        .padding(Space.two)
        .frame(maxWidth: .infinity, alignment: .leading)
        .background(Color.surface, in: RoundedRectangle(cornerRadius: Space.radius))
    }

    private func learn(_ items: [PhotosPickerItem]) async {
        guard !items.isEmpty else { return }
        await model.learn(items)
        if picked == items { picked = [] }
    }

    private func leave(_ problem: Problem) {
        switch problem.wayOut {
        case .wipe: Task { await model.wipe() }
        case .again: Task { await model.refresh() }
        default: dismiss()
        }
    }
}

extension Unused {
    var sentence: LocalizedStringKey {
        switch self {
        case .noFace: "No face was found in it."
        case .several: "It shows several people, and you chose none of them."
        case .other: "It shows somebody else: you left it out."
        case .small: "The face is too small: it needs 64 pixels from ear to ear."
        case .dark: "It is too dark."
        case .bright: "It is too bright: most of the face is white."
        case .blurred: "It is blurred."
        case .turned: "The face is turned away from the camera."
        case .noImage: "It is no image that can be read."
        case .known: "The same picture has been learned already."
        case .huge: "It has more than 120 megapixels."
        }
    }
}
