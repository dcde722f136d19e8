import Foundation
import Photos

/// Where a result is saved.
protocol PhotoKeeping: Sendable {
    /// - Throws: ``Problem/photosRefused`` where the app may not, ``Problem/storage`` where it does not work.
    func add(png: Data) async throws
}

/// The device's photo library. The app may only add to it, and asks at the first time.
struct PhotoLibrary: PhotoKeeping {
    func add(png: Data) async throws {
        let status = await PHPhotoLibrary.requestAuthorization(for: .addOnly)
        guard status == .authorized || status == .limited else { throw Problem.photosRefused }
        do {
            try await PHPhotoLibrary.shared().performChanges {
                PHAssetCreationRequest.forAsset().addResource(with: .photo, data: png, options: nil)
            }
        } catch {
            throw Problem.storage
        }
    }
}
