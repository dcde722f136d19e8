import BoothCore
import CoreGraphics
import Foundation
import ImageIO
import UniformTypeIdentifiers

/// Photos of any format that iOS reads, upright, in sRGB, and pictures on their way to files.
enum PhotoDecoder {
    /// Pixels beyond which a photo is refused, as edgesr does on a desktop.
    static let mostPixels = 120_000_000
    /// Larger photos are decoded smaller.
    static let mostDecoded = 16_000_000
    static let mostBytes = 256 << 20

    /// - Throws: ``Problem/noImage``, or ``Problem/tooLarge``: by its header, before it is decoded.
    static func decode(_ content: Data) throws -> Pixels {
        guard content.count <= mostBytes else { throw Problem.tooLarge }
        let notCached = [kCGImageSourceShouldCache: false] as CFDictionary
        guard let source = CGImageSourceCreateWithData(content as CFData, notCached), CGImageSourceGetCount(source) > 0,
            let properties = CGImageSourceCopyPropertiesAtIndex(source, 0, notCached) as? [CFString: Any],
            let width = (properties[kCGImagePropertyPixelWidth] as? NSNumber)?.intValue,
            let height = (properties[kCGImagePropertyPixelHeight] as? NSNumber)?.intValue,
            width > 0, height > 0, width < 1 << 24, height < 1 << 24
        else { throw Problem.noImage }
        guard width * height <= mostPixels else { throw Problem.tooLarge }
        let share = min(1, (Double(mostDecoded) / Double(width * height)).squareRoot())
        let options =
            [
                kCGImageSourceCreateThumbnailFromImageAlways: true,
                kCGImageSourceCreateThumbnailWithTransform: true,  // upright, by its EXIF
                kCGImageSourceThumbnailMaxPixelSize: Int((Double(max(width, height)) * share).rounded(.down)),
                kCGImageSourceShouldCacheImmediately: true,
            ] as [CFString: Any] as CFDictionary
        guard let image = CGImageSourceCreateThumbnailAtIndex(source, 0, options) else { throw Problem.noImage }
        return try pixels(image)
    }

    /// What is drawn of an image in sRGB.
    private static func pixels(_ image: CGImage) throws -> Pixels {
        let width = image.width, height = image.height, row = width * 4
        var rgba = [UInt8](repeating: 0, count: row * height)
        let drawn = rgba.withUnsafeMutableBytes { bytes -> Bool in
            guard let space = CGColorSpace(name: CGColorSpace.sRGB),
                let context = CGContext(
                    data: bytes.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: row, space: space,
                    bitmapInfo: CGImageAlphaInfo.premultipliedLast.rawValue)
            else { return false }
            context.draw(image, in: CGRect(x: 0, y: 0, width: width, height: height))
            return true
        }
        guard drawn else { throw Problem.noImage }
        return try Pixels(width: width, height: height, rgba: rgba, bytesPerRow: row)
    }

    /// A picture for the screen.
    static func bitmap(_ picture: Pixels) -> Bitmap? { image(picture).map(Bitmap.init) }

    private static func image(_ picture: Pixels) -> CGImage? {
        guard let provider = CGDataProvider(data: Data(picture.rgba) as CFData), let space = CGColorSpace(name: CGColorSpace.sRGB) else {
            return nil
        }
        return CGImage(
            width: picture.width, height: picture.height, bitsPerComponent: 8, bitsPerPixel: 32, bytesPerRow: picture.width * 4,
            space: space, bitmapInfo: CGBitmapInfo(rawValue: CGImageAlphaInfo.noneSkipLast.rawValue), provider: provider, decode: nil,
            shouldInterpolate: true, intent: .defaultIntent)
    }

    /// A PNG that says what was done to it, and nothing of where the photo came from.
    ///
    /// - Throws: ``Problem/storage`` where it cannot be written.
    static func png(_ picture: Pixels) throws -> Data {
        let content = NSMutableData()
        guard let image = image(picture),
            let destination = CGImageDestinationCreateWithData(content as CFMutableData, UTType.png.identifier as CFString, 1, nil)
        else { throw Problem.storage }
        let said = [kCGImagePropertyPNGDescription: "faces enhanced by edgesr" as CFString] as CFDictionary
        CGImageDestinationAddImage(destination, image, [kCGImagePropertyPNGDictionary: said] as CFDictionary)
        guard CGImageDestinationFinalize(destination) else { throw Problem.storage }
        return Data(referencing: content)
    }
}

/// A picture for the screen, made anywhere: nothing changes a CGImage.
struct Bitmap: @unchecked Sendable {
    let image: CGImage
}
