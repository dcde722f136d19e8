import SwiftUI

/// What only a person can say while photos are learned from.
struct QuestionView: View {
    let question: GalleryModel.Question
    /// The faces that were chosen.
    let answer: (Set<Int>) -> Void
    @State private var leftOut: Set<Int> = []

    var body: some View {
        switch question {
        case .whose(let name, let faces): whose(name, faces)
        case .alike(let names, let faces, let remembered): alike(names, faces, remembered)
        }
    }

    /// Which of several people a photo is to be learned from.
    private func whose(_ name: String, _ faces: [Bitmap?]) -> some View {
        Page {
            heading("Who is it?")
            Text("\(name) shows \(faces.count) people. Choose the one to learn from.")
                .foregroundStyle(Color.ink2)
            FaceGrid(faces: faces, label: { "Face \($0 + 1)" }, choose: { answer([$0]) })
        } foot: {
            Button("Leave this photo out") { answer([]) }
                .buttonStyle(.tonal)
        }
    }

    /// Whether the faces that are to be learned are one person's: without an embedder only a person can say.
    private func alike(_ names: [String], _ faces: [Bitmap?], _ remembered: Bool) -> some View {
        Page {
            heading("Is this one person?")
            Text(
                remembered
                    ? "The booth cannot tell people apart, and what it learns is to be of one person. Press whoever is not the person of the photos that are remembered, to leave them out."
                    : "The booth cannot tell people apart, and what it learns is to be of one person. Press whoever is somebody else, to leave them out."
            )
            .foregroundStyle(Color.ink2)
            FaceGrid(
                faces: faces, label: { leftOut.contains($0) ? "\(names[$0]), left out" : "\(names[$0])" }, leftOut: leftOut,
                choose: { leftOut.formSymmetricDifference([$0]) })
        } foot: {
            Button("Learn from these") { answer(Set(faces.indices).subtracting(leftOut)) }
                .buttonStyle(.filled)
                .disabled(leftOut.count == faces.count)
            Button("Learn from none") { answer([]) }
                .buttonStyle(.tonal)
        }
        .interactiveDismissDisabled()
    }

    private func heading(_ text: LocalizedStringKey) -> some View {
        Text(text)
            .font(.title.bold())
            .accessibilityAddTraits(.isHeader)
    }
}
