import AVFoundation

/// The camera, away from the main actor: a preview, and photos on demand.
actor Camera {
    /// What the preview layer shows. The session is configured by the actor alone; the layer reads it.
    final class Preview: @unchecked Sendable { let session = AVCaptureSession() }

    nonisolated let preview = Preview()
    private let output = AVCapturePhotoOutput()
    private var position = AVCaptureDevice.Position.front
    private var input: AVCaptureDeviceInput?
    private var pending: PhotoDelegate?

    /// Whether there is a camera on the other side.
    var canFlip: Bool { Self.device(.front) != nil && Self.device(.back) != nil }

    /// Asks for permission where nobody was asked yet, and starts.
    ///
    /// - Throws: ``Problem/cameraRefused``, ``Problem/cameraNone`` or ``Problem/cameraBusy``.
    func start() async throws {
        switch AVCaptureDevice.authorizationStatus(for: .video) {
        case .authorized: break
        case .notDetermined: guard await AVCaptureDevice.requestAccess(for: .video) else { throw Problem.cameraRefused }
        default: throw Problem.cameraRefused
        }
        try configure()
        preview.session.startRunning()
        guard preview.session.isRunning else { throw Problem.cameraBusy }
    }

    func stop() {
        preview.session.stopRunning()
        pending?.fail(Problem.cameraBusy)
        pending = nil
    }

    func flip() throws {
        position = position == .front ? .back : .front
        try configure()
    }

    /// A photo, upright by its EXIF. One at a time: a second shutter press while one is taken is refused.
    ///
    /// - Throws: ``Problem/cameraBusy`` where none comes.
    func photo() async throws -> Data {
        guard pending == nil, preview.session.isRunning else { throw Problem.cameraBusy }
        level()
        do {
            let photo = try await withCheckedThrowingContinuation { continuation in
                let delegate = PhotoDelegate(continuation)
                pending = delegate
                output.capturePhoto(with: AVCapturePhotoSettings(), delegate: delegate)
            }
            pending = nil
            return photo
        } catch {
            pending = nil
            throw error
        }
    }

    /// Turns the next photo as the device is held.
    private func level() {
        guard let device = input?.device, let connection = output.connection(with: .video) else { return }
        let coordinator = AVCaptureDevice.RotationCoordinator(device: device, previewLayer: nil)
        let angle = coordinator.videoRotationAngleForHorizonLevelCapture
        if connection.isVideoRotationAngleSupported(angle) { connection.videoRotationAngle = angle }
    }

    private func configure() throws {
        guard let device = Self.device(position) ?? Self.device(position == .front ? .back : .front) else { throw Problem.cameraNone }
        let session = preview.session
        let wanted: AVCaptureDeviceInput
        do {
            wanted = try AVCaptureDeviceInput(device: device)
        } catch {
            throw Problem.cameraBusy
        }
        session.beginConfiguration()
        session.sessionPreset = .photo
        if let input { session.removeInput(input) }
        let fits = session.canAddInput(wanted)
        if fits { session.addInput(wanted) }
        input = fits ? wanted : nil
        if !session.outputs.contains(output), session.canAddOutput(output) { session.addOutput(output) }
        session.commitConfiguration()
        guard fits else { throw Problem.cameraBusy }
    }

    private static func device(_ position: AVCaptureDevice.Position) -> AVCaptureDevice? {
        AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: position)
    }
}

/// Waits for one photo; whatever happens, its continuation is resumed once.
private final class PhotoDelegate: NSObject, AVCapturePhotoCaptureDelegate, @unchecked Sendable {
    private let lock = NSLock()
    private var continuation: CheckedContinuation<Data, any Error>?

    init(_ continuation: CheckedContinuation<Data, any Error>) { self.continuation = continuation }

    func photoOutput(_ output: AVCapturePhotoOutput, didFinishProcessingPhoto photo: AVCapturePhoto, error: (any Error)?) {
        guard error == nil, let data = photo.fileDataRepresentation() else { return fail(Problem.cameraBusy) }
        take()?.resume(returning: data)
    }

    func photoOutput(
        _ output: AVCapturePhotoOutput, didFinishCaptureFor resolvedSettings: AVCaptureResolvedPhotoSettings, error: (any Error)?
    ) {
        // Comes last, and alone where no photo came.
        fail(Problem.cameraBusy)
    }

    func fail(_ error: any Error) { take()?.resume(throwing: error) }

    private func take() -> CheckedContinuation<Data, any Error>? {
        lock.withLock {
            defer { continuation = nil }
            return continuation
        }
    }
}
