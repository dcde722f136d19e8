import SwiftUI

/// One photo: whose face, the face before and after, the photo before and after, and which exemplar counted where.
struct ResultView: View {
    @State var model: ResultModel
    var library: any PhotoKeeping = PhotoLibrary()
    @Environment(Booth.self) private var booth
    @Environment(\.dismiss) private var dismiss
    @Environment(\.openURL) private var openURL
    @Environment(\.horizontalSizeClass) private var width

    var body: some View {
        Group {
            switch model.phase {
            case .looking: Busy(label: "Looking for faces")
            case .restoring: Busy(label: "Restoring")
            case .who(let faces, let others): who(faces, others)
            case .done(let restoration): done(restoration)
            case .problem(let problem): ProblemView(problem: problem, leave: { leave(problem) }, choose: booth.take)
            }
        }
        .navigationTitle("Result")
        .navigationBarTitleDisplayMode(.inline)
        .task { await model.start() }
        .alert("The picture was not saved", isPresented: $model.isUnsaved, presenting: model.saveProblem) { problem in
            if problem.wayOut == .settings { Button(problem.action) { openSettings(openURL) } }
            Button("Cancel", role: .cancel) {}
        } message: { problem in
            Text(problem.text)
        }
    }

    private func who(_ faces: [Bitmap?], _ others: Bool) -> some View {
        Page {
            VStack(alignment: .leading, spacing: Space.one) {
                Text("Whose face?")
                    .font(.largeTitle.bold())
                    .accessibilityAddTraits(.isHeader)
                Text(
                    others
                        ? "\(faces.count) faces are in this photo. Choose the one to restore."
                        : "\(faces.count) faces are in this photo, and the booth cannot tell people apart. Choose the one that your photos show: only that one gets their features."
                )
                .foregroundStyle(Color.ink2)
            }
            FaceGrid(faces: faces, label: { "Face \($0 + 1)" }) { i in Task { await model.restore(i, own: !others) } }
        } foot: {
            if !others {
                Button("None of them") { Task { await model.ask(others: true) } }
                    .buttonStyle(.tonal)
            }
        }
    }

    private func done(_ restoration: Restoration) -> some View {
        Page(isWide: true) {
            if width == .regular {
                HStack(alignment: .top, spacing: Space.three) {
                    shown(restoration)
                    VStack(alignment: .leading, spacing: Space.two) { controls(restoration) }
                }
            } else {
                shown(restoration)
                controls(restoration)
            }
        } foot: {
            HStack(spacing: Space.one) {
                Button {
                    Task { await model.save(to: library) }
                } label: {
                    Label(model.saved ? "Saved" : "Save", systemImage: model.saved ? "checkmark" : "square.and.arrow.down")
                }
                .buttonStyle(.tonal)
                .disabled(model.saved || model.shown == .why)
                if let picture = model.picture {
                    ShareLink(
                        item: picture, preview: SharePreview("A restored face", image: Image(decorative: restoration.after.image, scale: 1))
                    ) {
                        Label("Share", systemImage: "square.and.arrow.up")
                    }
                    .buttonStyle(.filled)
                    .disabled(model.shown == .why)
                }
            }
        }
    }

    private func shown(_ restoration: Restoration) -> some View {
        VStack(alignment: .leading, spacing: Space.two) {
            Picker("What is shown", selection: $model.shown) {
                Text("Face").tag(ResultModel.Shown.face)
                Text("Photo").tag(ResultModel.Shown.photo)
                Text("Why").tag(ResultModel.Shown.why)
            }
            .pickerStyle(.segmented)
            switch model.shown {
            case .face:
                CompareView(before: restoration.before, after: restoration.after, strength: model.strength, split: $model.split)
            case .photo:
                CompareView(before: restoration.photoBefore, after: restoration.photoAfter, strength: model.strength, split: $model.split)
            case .why: WhyView(counted: restoration.counted)
            }
        }
    }

    @ViewBuilder private func controls(_ restoration: Restoration) -> some View {
        let outcome = restoration.outcome
        Text(explanation(outcome))
        if model.shown != .why {
            VStack(alignment: .leading, spacing: Space.half) {
                Text("Strength")
                    .font(.subheadline)
                    .foregroundStyle(Color.ink2)
                    .accessibilityHidden(true)
                Slider(value: $model.strength, in: 0...1) { Text("Strength") }
                    .accessibilityValue("\(Int((model.strength * 100).rounded())) percent")
            }
        }
        if outcome.remembered > 0 {
            Picker("Whose face it is", selection: $model.own) {
                Text("Of my photos").tag(true)
                Text("Somebody else’s").tag(false)
            }
            .pickerStyle(.segmented)
        }
        if model.available.count > 1 {
            Picker("Network", selection: $model.precision) {
                Text("int8").tag(Precision.int8)
                Text("float").tag(Precision.float)
            }
            .pickerStyle(.segmented)
        } else {
            Text("Only the \(model.available.first?.rawValue ?? "") network is in this build.")
                .font(.caption)
                .foregroundStyle(Color.ink2)
        }
        Text(
            outcome.face.isFirst
                ? "\(outcome.face.millis, specifier: "%.1f") ms on this device, for the first time"
                : "\(outcome.face.millis, specifier: "%.1f") ms on this device"
        )
        .font(.subheadline)
        .foregroundStyle(Color.ink2)
    }

    private func explanation(_ outcome: Outcome) -> LocalizedStringKey {
        let count = outcome.face.exemplars.count
        if outcome.face.isLarge { return "This face is large in the photo already, so there was little to add." }
        if !outcome.own, outcome.remembered > 0 { return "Restored without your photos, since it is somebody else’s face." }
        if count == 0 { return "Restored without photos of this person. Add some to bring back their own features." }
        return "With the features of \(count) photos of yours."
    }

    private func leave(_ problem: Problem) {
        switch problem.wayOut {
        case .wipe:
            Task {
                try? await booth.wipe()
                dismiss()
            }
        case .again: Task { await model.start() }
        default: dismiss()
        }
    }
}

/// Which exemplar counted where, as heatmaps over the face.
struct WhyView: View {
    let counted: [Restoration.Counted]

    var body: some View {
        VStack(alignment: .leading, spacing: Space.two) {
            Text("Which photo counted where")
                .font(.title3.bold())
                .accessibilityAddTraits(.isHeader)
            if counted.isEmpty {
                Text("No photo took part.")
            } else {
                Text("Warm: most of the detail came from this photo. Cool: little of it.")
                    .foregroundStyle(Color.ink2)
                LazyVGrid(columns: [GridItem(.adaptive(minimum: 96), spacing: Space.one)], spacing: Space.one) {
                    ForEach(counted) { one in
                        VStack(alignment: .leading, spacing: Space.half) {
                            Picture(image: one.picture)
                            Text("Photo \(one.number) · \(one.percent) %")
                                .font(.caption)
                        }
                        .accessibilityElement(children: .ignore)
                        .accessibilityLabel("Photo \(one.number) counted \(one.percent) percent on average")
                    }
                }
            }
        }
    }
}
