import BoothCore
import BoothEngine
import CoreGraphics

/// A picture for the screen, made anywhere: nothing changes a CGImage.
struct Bitmap: @unchecked Sendable {
    let image: CGImage

    /// nil where there is no memory for it.
    init?(_ picture: Pixels) {
        guard let image = PhotoCoder.image(of: picture) else { return nil }
        self.image = image
    }
}
