// Stands in for ImageIO on Linux. It decodes nothing itself: what a file holds, Python has written beside it, by the file's
// length and CRC-32 (`tools/assets.py`, decoded): size, EXIF orientation, pixels as they are stored. Unknown files are no images.
@_exported import CoreGraphics
import Foundation

/// https://developer.apple.com/documentation/imageio/cgimagesource
public final class CGImageSource {
    let width: Int, height: Int, orientation: Int, stored: (width: Int, height: Int), pixels: URL
    init?(_ data: Data) {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../testdata/decoded/\(data.count)-\(HostPng.crc(data))").standardized
        guard let json = try? Data(contentsOf: file.appendingPathExtension("json")),
            let said = try? JSONSerialization.jsonObject(with: json) as? [String: Any], let width = said["width"] as? Int,
            let height = said["height"] as? Int, let orientation = said["orientation"] as? Int, let stored = said["stored"] as? [Int]
        else { return nil }
        (self.width, self.height, self.orientation, self.stored) = (width, height, orientation, (stored[0], stored[1]))
        pixels = file.appendingPathExtension("rgb")
    }
}

/// https://developer.apple.com/documentation/imageio/kcgimagesourceshouldcache
public let kCGImageSourceShouldCache: CFString = "kCGImageSourceShouldCache"
/// https://developer.apple.com/documentation/imageio/kcgimagesourceshouldcacheimmediately
public let kCGImageSourceShouldCacheImmediately: CFString = "kCGImageSourceShouldCacheImmediately"
/// https://developer.apple.com/documentation/imageio/kcgimagesourcecreatethumbnailfromimagealways
public let kCGImageSourceCreateThumbnailFromImageAlways: CFString = "kCGImageSourceCreateThumbnailFromImageAlways"
/// https://developer.apple.com/documentation/imageio/kcgimagesourcecreatethumbnailwithtransform
public let kCGImageSourceCreateThumbnailWithTransform: CFString = "kCGImageSourceCreateThumbnailWithTransform"
/// https://developer.apple.com/documentation/imageio/kcgimagesourcethumbnailmaxpixelsize
public let kCGImageSourceThumbnailMaxPixelSize: CFString = "kCGImageSourceThumbnailMaxPixelSize"
/// https://developer.apple.com/documentation/imageio/kcgimagepropertypixelwidth
public let kCGImagePropertyPixelWidth: CFString = "PixelWidth"
/// https://developer.apple.com/documentation/imageio/kcgimagepropertypixelheight
public let kCGImagePropertyPixelHeight: CFString = "PixelHeight"
/// https://developer.apple.com/documentation/imageio/kcgimagepropertypngdictionary
public let kCGImagePropertyPNGDictionary: CFString = "{PNG}"
/// https://developer.apple.com/documentation/imageio/kcgimagepropertypngdescription
public let kCGImagePropertyPNGDescription: CFString = "Description"

/// https://developer.apple.com/documentation/imageio/cgimagesourcecreatewithdata(_:_:)
public func CGImageSourceCreateWithData(_ data: CFData, _ options: CFDictionary?) -> CGImageSource? { CGImageSource(data) }
/// https://developer.apple.com/documentation/imageio/cgimagesourcegetcount(_:)
public func CGImageSourceGetCount(_ source: CGImageSource) -> Int { 1 }
/// https://developer.apple.com/documentation/imageio/cgimagesourcecopypropertiesatindex(_:_:_:)
public func CGImageSourceCopyPropertiesAtIndex(_ source: CGImageSource, _ index: Int, _ options: CFDictionary?) -> Any? {
    [kCGImagePropertyPixelWidth: NSNumber(value: source.width), kCGImagePropertyPixelHeight: NSNumber(value: source.height)]
        as [String: Any]
}
/// At most so large, and upright where it is asked for.
/// https://developer.apple.com/documentation/imageio/cgimagesourcecreatethumbnailatindex(_:_:_:)
public func CGImageSourceCreateThumbnailAtIndex(_ source: CGImageSource, _ index: Int, _ options: CFDictionary?) -> CGImage? {
    guard let rgb = try? Data(contentsOf: source.pixels), let most = options?[kCGImageSourceThumbnailMaxPixelSize] as? Int,
        options?[kCGImageSourceCreateThumbnailFromImageAlways] as? Bool == true
    else { return nil }
    let scale = min(1, Double(most) / Double(max(source.width, source.height)))
    let width = max(1, Int(Double(source.width) * scale)), height = max(1, Int(Double(source.height) * scale))
    let isTurned = options?[kCGImageSourceCreateThumbnailWithTransform] as? Bool == true && source.orientation == 6
    let (wide, high) = isTurned ? (height, width) : (width, height)
    var rgba = [UInt8](repeating: 255, count: wide * high * 4)
    let (w, h) = source.stored
    rgb.withUnsafeBytes { (from: UnsafeRawBufferPointer) in
        for y in 0..<high {
            for x in 0..<wide {
                // Orientation 6 is shown turned clockwise by a quarter: the column from the left is the row from below.
                let (sx, sy) = isTurned ? (y, height - 1 - x) : (x, y)
                let at = (sy * h / height * w + sx * w / width) * 3, out = (y * wide + x) * 4
                for c in 0..<3 { rgba[out + c] = from[at + c] }
            }
        }
    }
    return CGImage(hostWidth: wide, height: high, rgba: Data(rgba))
}

/// https://developer.apple.com/documentation/corefoundation/cfmutabledata
public typealias CFMutableData = NSMutableData

/// https://developer.apple.com/documentation/imageio/cgimagedestination
public final class CGImageDestination {
    let target: CFMutableData
    var image: CGImage?
    var said = ""
    init(_ target: CFMutableData) { self.target = target }
}
/// https://developer.apple.com/documentation/imageio/cgimagedestinationcreatewithdata(_:_:_:_:)
public func CGImageDestinationCreateWithData(_ data: CFMutableData, _ type: CFString, _ count: Int, _ options: CFDictionary?)
    -> CGImageDestination?
{ type == "public.png" ? CGImageDestination(data) : nil }
/// https://developer.apple.com/documentation/imageio/cgimagedestinationaddimage(_:_:_:)
public func CGImageDestinationAddImage(_ destination: CGImageDestination, _ image: CGImage, _ properties: CFDictionary?) {
    destination.image = image
    destination.said = (properties?[kCGImagePropertyPNGDictionary] as? CFDictionary)?[kCGImagePropertyPNGDescription] as? String ?? ""
}
/// https://developer.apple.com/documentation/imageio/cgimagedestinationfinalize(_:)
public func CGImageDestinationFinalize(_ destination: CGImageDestination) -> Bool {
    guard let image = destination.image else { return false }
    destination.target.setData(HostPng.encode(image, description: destination.said))
    return true
}
