import BoothCore
import BoothEngine
import Foundation

@main struct RestoreFace {
    /// RestoreFace MODELS OUTPUT PHOTO PORTRAIT...: the photo as a PNG, its tiny face with the features of the portraits.
    static func main() async throws {
        let paths = CommandLine.arguments.dropFirst().map { URL(fileURLWithPath: $0) }
        let restorer = try await FaceRestorer(models: paths[0], network: "int8")

        // Once for each sharp photo of the person: the gallery keeps features, and never the photo.
        var gallery = restorer.emptyGallery
        for portrait in paths[3...] { gallery = try await restorer.learn(Data(contentsOf: portrait), into: gallery) }

        // For each photo with a tiny face of theirs.
        let photo = try PhotoCoder.decode(Data(contentsOf: paths[2]))
        let enhanced = try await restorer.enhance(photo, gallery: gallery)
        try PhotoCoder.png(enhanced.picture()).write(to: paths[1])
        print("\(enhanced.faces.count) face restored, by \(enhanced.faces.map(\.exemplars.count)) exemplars")
    }
}
