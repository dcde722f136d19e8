import BoothCore
import CoreGraphics
import Foundation
import ImageIO
import UniformTypeIdentifiers

/// Why a photo's file cannot be used.
public enum PhotoError: Error, Equatable, CustomStringConvertible {
    /// It is no image that the system reads.
    case unreadable
    /// It has more pixels or bytes than ``PhotoCoder`` takes.
    case tooLarge
    /// The picture cannot be written as a PNG.
    case unwritable

    public var description: String {
        switch self {
        case .unreadable: "this is no image that can be read: choose another photo"
        case .tooLarge: "the photo has more than \(PhotoCoder.mostPixels / 1_000_000) megapixels: choose a smaller one"
        case .unwritable: "the picture cannot be written: free some memory and try again"
        }
    }
}

/// Photos of any format that the system reads, upright, in sRGB; and pictures on their way to screens and files.
public enum PhotoCoder {
    /// Pixels beyond which a photo is refused, as edgesr does on a desktop.
    public static let mostPixels = 120_000_000
    /// Photos of more pixels than this are decoded smaller.
    public static let mostDecoded = 16_000_000
    /// Bytes beyond which a file is refused.
    public static let mostBytes = 256 << 20

    /// The pixels of a photo's file (JPEG, HEIC, PNG, whatever the system reads), turned as its EXIF says.
    ///
    /// - Throws: ``PhotoError/unreadable``, or ``PhotoError/tooLarge``: by its header, before it is decoded.
    public static func decode(_ content: Data) throws -> Pixels {
        guard content.count <= mostBytes else { throw PhotoError.tooLarge }
        let notCached = [kCGImageSourceShouldCache: false] as CFDictionary
        guard let source = CGImageSourceCreateWithData(content as CFData, notCached), CGImageSourceGetCount(source) > 0,
            let properties = CGImageSourceCopyPropertiesAtIndex(source, 0, notCached) as? [CFString: Any],
            let width = (properties[kCGImagePropertyPixelWidth] as? NSNumber)?.intValue,
            let height = (properties[kCGImagePropertyPixelHeight] as? NSNumber)?.intValue,
            width > 0, height > 0, width < 1 << 24, height < 1 << 24
        else { throw PhotoError.unreadable }
        guard width * height <= mostPixels else { throw PhotoError.tooLarge }
        let share = min(1, (Double(mostDecoded) / Double(width * height)).squareRoot())
        let options =
            [
                kCGImageSourceCreateThumbnailFromImageAlways: true,
                kCGImageSourceCreateThumbnailWithTransform: true,  // upright, by its EXIF
                kCGImageSourceThumbnailMaxPixelSize: Int((Double(max(width, height)) * share).rounded(.down)),
                kCGImageSourceShouldCacheImmediately: true,
            ] as [CFString: Any] as CFDictionary
        guard let image = CGImageSourceCreateThumbnailAtIndex(source, 0, options) else { throw PhotoError.unreadable }
        return try pixels(of: image)
    }

    /// What is drawn of an image in sRGB, as its pixels lie: an image knows nothing of EXIF.
    ///
    /// - Throws: ``PhotoError/unreadable`` where it cannot be drawn.
    public static func pixels(of image: CGImage) throws -> Pixels {
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
        guard drawn else { throw PhotoError.unreadable }
        return try Pixels(width: width, height: height, rgba: rgba, bytesPerRow: row)
    }

    /// A picture for the screen, opaque, in sRGB; nil where there is no memory for it.
    public static func image(of picture: Pixels) -> CGImage? {
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
    /// - Throws: ``PhotoError/unwritable``.
    public static func png(_ picture: Pixels) throws -> Data {
        let content = NSMutableData()
        guard let image = image(of: picture),
            let destination = CGImageDestinationCreateWithData(content as CFMutableData, UTType.png.identifier as CFString, 1, nil)
        else { throw PhotoError.unwritable }
        let said = [kCGImagePropertyPNGDescription: "faces enhanced by edgesr" as CFString] as CFDictionary
        CGImageDestinationAddImage(destination, image, [kCGImagePropertyPNGDictionary: said] as CFDictionary)
        guard CGImageDestinationFinalize(destination) else { throw PhotoError.unwritable }
        return Data(referencing: content)
    }
}
