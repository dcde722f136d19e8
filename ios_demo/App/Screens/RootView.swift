import SwiftUI

/// Consent before anything else; then home, and where it leads.
struct RootView: View {
    @Environment(Booth.self) private var booth

    var body: some View {
        @Bindable var booth = booth
        if booth.consented {
            NavigationStack(path: $booth.path) {
                HomeView()
                    .navigationDestination(for: Route.self) { route in
                        switch route {
                        case .gallery: GalleryView(model: GalleryModel(booth: booth))
                        case .camera: CameraView(model: CameraModel(camera: Camera()))
                        case .result: ResultView(model: ResultModel(booth: booth)).id(booth.photos)
                        case .measure: MeasureView(model: MeasureModel(booth: booth))
                        case .golden: GoldenView(model: GoldenModel(booth: booth))
                        }
                    }
            }
        } else {
            ConsentView()
        }
    }
}
