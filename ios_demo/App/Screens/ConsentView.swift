import SwiftUI

/// What is kept, where, and how to undo it: shown before anything is stored.
struct ConsentView: View {
    @Environment(Booth.self) private var booth

    var body: some View {
        Page {
            Text("Before you start")
                .font(.largeTitle.bold())
                .accessibilityAddTraits(.isHeader)
            point(
                "face.smiling", "What is kept",
                "Numbers that describe the faces in the photos you pick, so that other photos of the same person can be restored. Among them the light and colour of each face, in 8 by 8 cells. Not the photos. They are biometric data: add other people only if they agree. The photo that you restore stays until the next one."
            )
            point(
                "lock", "Where",
                "In this app’s own storage, encrypted while the device is locked and left out of backups. Nothing in this app uses the network."
            )
            point("trash", "How to undo it", "“Delete everything” on the gallery screen overwrites and deletes all of it at once.")
        } foot: {
            Button("I agree") { booth.consented = true }
                .buttonStyle(.filled)
        }
    }

    private func point(_ symbol: String, _ title: LocalizedStringKey, _ text: LocalizedStringKey) -> some View {
        HStack(alignment: .top, spacing: Space.two) {
            Image(systemName: symbol)
                .font(.title2)
                .foregroundStyle(Color.onTonal)
                .frame(width: 48, height: 48)
                .background(Color.tonal, in: Circle())
                .accessibilityHidden(true)
            VStack(alignment: .leading, spacing: Space.half) {
                Text(title)
                    .font(.headline)
                    .accessibilityAddTraits(.isHeader)
                Text(text)
                    .foregroundStyle(Color.ink2)
            }
        }
    }
}
