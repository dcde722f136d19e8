import AVFoundation
import SwiftUI
import UIKit

/// The preview, a shutter, a way to the library, and the other camera.
struct CameraView: View {
    @State var model: CameraModel
    @Environment(Booth.self) private var booth
    @Environment(\.dismiss) private var dismiss
    @Environment(\.openURL) private var openURL
    @Environment(\.scenePhase) private var scene

    var body: some View {
        Group {
            if let problem = booth.problem {
                ProblemView(problem: problem, leave: { booth.problem = nil }, choose: booth.take)
            } else if case .problem(let problem) = model.phase {
                ProblemView(problem: problem, leave: { leave(problem) }, choose: booth.take)
            } else {
                viewfinder
            }
        }
        .navigationTitle("Take a photo")
        .navigationBarTitleDisplayMode(.inline)
        // The permission may have been taken away since the last time: it is asked for each time.
        .task(id: scene) { if scene == .active { await model.start() } else { await model.stop() } }
        .onDisappear { Task { await model.stop() } }
    }

    private var viewfinder: some View {
        ZStack {
            Color.black.ignoresSafeArea()
            CameraPreview(preview: model.camera.preview)
                .ignoresSafeArea()
                .accessibilityLabel("What the camera sees")
            VStack {
                VStack(spacing: Space.half) {
                    Text("Step back a little")
                        .font(.headline)
                    Text("The booth is for faces that come out small.")
                        .font(.subheadline)
                }
                .foregroundStyle(.white)
                .frame(maxWidth: .infinity)
                .padding(Space.two)
                .background(.black.opacity(0.5))
                Spacer()
                bar
            }
        }
    }

    private var bar: some View {
        HStack {
            PhotoChooser(title: "Choose a photo", symbol: "photo", isFilled: false, choose: booth.take)
                .frame(maxWidth: 140)
            Spacer()
            Button {
                Task { if let photo = await model.shoot() { await booth.take(photo) } }
            } label: {
                Circle()
                    .fill(.white)
                    .frame(width: 72, height: 72)
                    .overlay(Circle().strokeBorder(Color.accent, lineWidth: 5))
            }
            .accessibilityLabel("Take the photo")
            .disabled(model.phase != .running)
            Spacer()
            Button {
                Task { await model.flip() }
            } label: {
                Image(systemName: "arrow.triangle.2.circlepath.camera")
                    .font(.title2)
                    .foregroundStyle(.white)
                    .frame(width: 140, height: 56)
            }
            .accessibilityLabel("Switch between front and back camera")
            .opacity(model.canFlip ? 1 : 0)
            .disabled(!model.canFlip)
        }
        .padding(Space.three)
        .background(.black.opacity(0.5))
    }

    private func leave(_ problem: Problem) {
        switch problem.wayOut {
        case .settings: openSettings(openURL)
        case .again: Task { await model.start() }
        default: dismiss()
        }
    }
}

/// Where the app's permissions are.
@MainActor func openSettings(_ open: OpenURLAction) {
    if let url = URL(string: UIApplication.openSettingsURLString) { open(url) }
}

/// A view whose layer is the session's preview, turned as the device is held.
final class PreviewView: UIView {
    override class var layerClass: AnyClass { AVCaptureVideoPreviewLayer.self }
    private var coordinator: AVCaptureDevice.RotationCoordinator?

    func show(_ session: AVCaptureSession) {
        guard let layer = layer as? AVCaptureVideoPreviewLayer else { return }
        layer.session = session
        layer.videoGravity = .resizeAspectFill
    }

    override func layoutSubviews() {
        super.layoutSubviews()
        guard let layer = layer as? AVCaptureVideoPreviewLayer, let connection = layer.connection,
            let input = layer.session?.inputs.first as? AVCaptureDeviceInput
        else { return }
        let coordinator = AVCaptureDevice.RotationCoordinator(device: input.device, previewLayer: layer)
        self.coordinator = coordinator
        let angle = coordinator.videoRotationAngleForHorizonLevelPreview
        if connection.isVideoRotationAngleSupported(angle) { connection.videoRotationAngle = angle }
    }
}

struct CameraPreview: UIViewRepresentable {
    let preview: Camera.Preview

    func makeUIView(context: Context) -> PreviewView {
        let view = PreviewView()
        view.show(preview.session)
        return view
    }

    func updateUIView(_ view: PreviewView, context: Context) { view.setNeedsLayout() }
}
