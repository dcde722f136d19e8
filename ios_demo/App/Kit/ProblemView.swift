import SwiftUI

/// A problem in place of a screen's content: what is the case, and the way out.
struct ProblemView: View {
    let problem: Problem
    /// What the way out is here; nil where the problem has none but choosing another photo.
    let leave: () -> Void
    /// Another photo was chosen.
    let choose: (Result<PickedPhoto, Problem>) async -> Void

    var body: some View {
        Page {
            VStack(spacing: Space.two) {
                Image(systemName: problem.symbol)
                    .font(.largeTitle)
                    .foregroundStyle(Color.accent)
                    .accessibilityHidden(true)
                Text(problem.title)
                    .font(.title2.bold())
                    .accessibilityAddTraits(.isHeader)
                Text(problem.text)
                    .foregroundStyle(Color.ink2)
            }
            .multilineTextAlignment(.center)
            .frame(maxWidth: .infinity, minHeight: 320)
        } foot: {
            if problem.wayOut == .choose {
                PhotoChooser(title: problem.action, symbol: "photo", isFilled: true, choose: choose)
            } else {
                Button(problem.action, role: problem.wayOut == .wipe ? .destructive : nil, action: leave)
                    .buttonStyle(.filled)
            }
            if problem.isAboutTheCamera, problem.wayOut != .choose {
                PhotoChooser(title: "Choose a photo", symbol: "photo", isFilled: false, choose: choose)
            }
        }
    }
}

extension Problem {
    var isAboutTheCamera: Bool { [.cameraRefused, .cameraBusy, .cameraNone].contains(self) }

    var symbol: String {
        switch self {
        case .cameraRefused, .photosRefused: "lock"
        case .cameraBusy, .cameraNone: "camera"
        case .noFace: "person.crop.circle.badge.questionmark"
        case .noImage, .tooLarge: "photo"
        default: "exclamationmark.triangle"
        }
    }

    var title: LocalizedStringKey {
        switch self {
        case .modelMissing: "The network is missing"
        case .modelDamaged: "The network is damaged"
        case .modelOther: "The network does not fit"
        case .runtime: "This device cannot run it"
        case .galleryDamaged: "Your gallery is damaged"
        case .galleryOther: "Your gallery is from another network"
        case .noFace: "No face found"
        case .noImage: "This is no photo"
        case .tooLarge: "The photo is too large"
        case .storage: "The device is full"
        case .cameraRefused: "The camera is off limits"
        case .cameraBusy: "The camera is busy"
        case .cameraNone: "There is no camera"
        case .photosRefused: "Saving is off limits"
        case .unknown: "Something went wrong"
        }
    }

    var text: LocalizedStringKey {
        switch self {
        case .modelMissing: "This build came without its model files. Build the app again after make ios-assets, or install a complete one."
        case .modelDamaged: "A model file is not the one that this app was built with, so it is not used. Install the app again."
        case .modelOther: "The model files are for another runtime or another version of this app. Install a matching build."
        case .runtime: "Core ML did not start here: it needs a device with iOS 18 or later. Restart the device, or install the app again."
        case .galleryDamaged:
            "What was learned from your photos cannot be read any more. Delete it and add the photos again; photos themselves are not affected."
        case .galleryOther:
            "It was made by another version of the network, and its features mean something else to this one. Delete it and add the photos again."
        case .noFace: "A face has to be at least about ten pixels wide and look roughly into the camera."
        case .noImage: "The file cannot be read as an image. JPEG, PNG, WebP and HEIC work."
        case .tooLarge: "It has more than 120 megapixels, more than this app can hold. Scale it down, or choose another one."
        case .storage: "There is no room left to keep what was learned. Nothing was changed. Free some space and try again."
        case .cameraRefused: "iOS does not let this app use the camera. Allow it in the settings, or choose a photo that you have."
        case .cameraBusy: "Another app is using it. Close that app and try again."
        case .cameraNone: "No camera answers on this device. Choose a photo that you have instead."
        case .photosRefused: "iOS does not let this app add to your photos. Allow it in the settings, or share the picture instead."
        case .unknown: "This should not have happened. Try again, and if it stays, please report it with the photo’s format and size."
        }
    }

    var action: LocalizedStringKey {
        switch self {
        case .cameraNone: "Choose a photo"
        case _ where wayOut == .choose: "Another photo"
        case _ where wayOut == .wipe: "Delete and start again"
        case _ where wayOut == .again: "Try again"
        case _ where wayOut == .settings: "Open settings"
        default: "Back"
        }
    }
}
