import PhotosUI
import SwiftUI

/// Asks the system's picker for one photo; the app sees no other.
struct PhotoChooser: View {
    let title: LocalizedStringKey
    let symbol: String
    let isFilled: Bool
    let choose: (Result<PickedPhoto, Problem>) async -> Void
    @State private var picked: PhotosPickerItem?

    var body: some View {
        PhotosPicker(selection: $picked, matching: .images, preferredItemEncoding: .current) {
            Label(title, systemImage: symbol)
        }
        .buttonStyle(isFilled ? WideButtonStyle.filled : .tonal)
        // The choice as it was drawn: when this begins, another may have been made, which has a task of its own.
        .task(id: picked) { [picked] in
            guard let item = picked else { return }
            let photo = await item.photo()
            // What is broken off looks like what cannot be read.
            guard !Task.isCancelled else { return }
            await choose(photo)
            if self.picked == item { self.picked = nil }
        }
    }
}

extension PhotosPickerItem {
    /// The photo as it is stored, or why it cannot be had.
    func photo() async -> Result<PickedPhoto, Problem> {
        do {
            guard let photo = try await loadTransferable(type: PickedPhoto.self) else { return .failure(.noImage) }
            return .success(photo)
        } catch let problem as Problem {
            return .failure(problem)
        } catch {
            return .failure(.noImage)
        }
    }
}

extension Booth {
    /// Takes what was picked, or says what stood in the way.
    func take(_ picked: Result<PickedPhoto, Problem>) async {
        switch picked {
        case .success(let photo): await take(photo.content)
        case .failure(let problem): self.problem = problem
        }
    }
}
