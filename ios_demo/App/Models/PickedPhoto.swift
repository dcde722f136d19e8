import BoothEngine
import CoreTransferable
import Foundation
import UniformTypeIdentifiers

/// A photo that was picked, as it is stored (HEIC stays HEIC), and its file's name.
struct PickedPhoto: Transferable, Sendable {
    let name: String
    let content: Data

    static var transferRepresentation: some TransferRepresentation {
        FileRepresentation(importedContentType: .image) { received in
            let size = try received.file.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0
            guard size <= PhotoCoder.mostBytes else { throw Problem.tooLarge }
            return PickedPhoto(name: received.file.lastPathComponent, content: try Data(contentsOf: received.file))
        }
    }
}

/// A PNG that is made when somebody asks for it.
struct SharedPicture: Transferable, Sendable {
    let make: @Sendable () async throws -> Data

    static var transferRepresentation: some TransferRepresentation {
        DataRepresentation(exportedContentType: .png) { (shared: SharedPicture) in try await shared.make() }
            .suggestedFileName("face.png")
    }
}

/// Measurements as `edgesr report --device-results` takes them.
struct SharedMeasurements: Transferable, Sendable {
    let json: Data

    static var transferRepresentation: some TransferRepresentation {
        DataRepresentation(exportedContentType: .json) { (shared: SharedMeasurements) in shared.json }
            .suggestedFileName("device-results.json")
    }
}
