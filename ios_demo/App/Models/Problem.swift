import BoothCore
import BoothEngine
import Foundation

/// What can stand in the way: each has a title, a sentence, and a way out (`ProblemView`).
enum Problem: String, Error, CaseIterable, Sendable {
    case modelMissing, modelDamaged, modelOther, runtime, galleryDamaged, galleryOther
    case noFace, noImage, tooLarge, storage, cameraRefused, cameraBusy, cameraNone, photosRefused, unknown

    enum WayOut { case back, wipe, choose, again, settings }

    /// What an error means to whoever holds the phone.
    init(_ error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case let error as EngineError:
            switch error {
            case .missing: self = .modelMissing
            case .damaged: self = .modelDamaged
            case .other: self = .modelOther
            case .refused: self = .runtime
            }
        case let error as PhotoError:
            switch error {
            case .unreadable: self = .noImage
            case .tooLarge: self = .tooLarge
            case .unwritable: self = .storage
            }
        case is BundleError: self = .modelDamaged
        case let error as GalleryError:
            let isOther = error.what.contains("another network") || error.what.contains("another version")
            self = isOther ? .galleryOther : .galleryDamaged
        case is FaceError: self = .noFace
        case is CocoaError, is POSIXError: self = .storage
        default: self = .unknown
        }
    }

    var wayOut: WayOut {
        switch self {
        case .modelMissing, .modelDamaged, .modelOther, .runtime, .unknown: .back
        case .galleryDamaged, .galleryOther: .wipe
        case .noFace, .noImage, .tooLarge, .cameraNone: .choose
        case .storage, .cameraBusy: .again
        case .cameraRefused, .photosRefused: .settings
        }
    }
}
