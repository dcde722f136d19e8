// Stands in for CoreGraphics on Linux: pictures of 8-bit RGBA, which is all that the app draws.
import Foundation

@_exported import struct Foundation.CGFloat
@_exported import struct Foundation.CGPoint
@_exported import struct Foundation.CGRect
@_exported import struct Foundation.CGSize

// Core Foundation's types are bridged to Swift's by Apple; here they are Swift's own.
/// https://developer.apple.com/documentation/corefoundation/cfdata
public typealias CFData = Data
/// https://developer.apple.com/documentation/corefoundation/cfstring
public typealias CFString = String
/// https://developer.apple.com/documentation/corefoundation/cfdictionary
public typealias CFDictionary = [String: Any]

/// https://developer.apple.com/documentation/coregraphics/cgcolorspace
public final class CGColorSpace {
    public static let sRGB: CFString = "kCGColorSpaceSRGB"
    public init?(name: CFString) { if name != Self.sRGB { return nil } }
}

/// https://developer.apple.com/documentation/coregraphics/cgimagealphainfo
public enum CGImageAlphaInfo: UInt32, Sendable { case none = 0, premultipliedLast = 1, noneSkipLast = 5 }
/// https://developer.apple.com/documentation/coregraphics/cgbitmapinfo
public struct CGBitmapInfo: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
}
/// https://developer.apple.com/documentation/coregraphics/cgcolorrenderingintent
public enum CGColorRenderingIntent: Int32, Sendable { case defaultIntent }

/// https://developer.apple.com/documentation/coregraphics/cgdataprovider
public final class CGDataProvider {
    let data: Data
    public init?(data: CFData) { self.data = data }
}

/// https://developer.apple.com/documentation/coregraphics/cgimage
public final class CGImage {
    public let width: Int, height: Int
    /// RGBA, row by row. Not Apple's.
    public let hostRgba: Data

    public init?(
        width: Int, height: Int, bitsPerComponent: Int, bitsPerPixel: Int, bytesPerRow: Int, space: CGColorSpace,
        bitmapInfo: CGBitmapInfo, provider: CGDataProvider, decode: UnsafePointer<CGFloat>?, shouldInterpolate: Bool,
        intent: CGColorRenderingIntent
    ) {
        guard bitsPerComponent == 8, bitsPerPixel == 32, bytesPerRow == 4 * width, provider.data.count == bytesPerRow * height else {
            return nil
        }
        self.width = width
        self.height = height
        hostRgba = provider.data
    }

    public init(hostWidth: Int, height: Int, rgba: Data) {
        width = hostWidth
        self.height = height
        hostRgba = rgba
    }
}

/// https://developer.apple.com/documentation/coregraphics/cgcontext
public final class CGContext {
    private let data: UnsafeMutableRawPointer, width: Int, height: Int, bytesPerRow: Int

    public init?(
        data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int, bytesPerRow: Int, space: CGColorSpace,
        bitmapInfo: UInt32
    ) {
        guard let data, bitsPerComponent == 8, bytesPerRow >= 4 * width else { return nil }
        (self.data, self.width, self.height, self.bytesPerRow) = (data, width, height, bytesPerRow)
    }

    /// Only a whole picture at its own size.
    public func draw(_ image: CGImage, in rect: CGRect) {
        guard rect == CGRect(x: 0, y: 0, width: image.width, height: image.height), image.width == width, image.height == height else {
            return
        }
        image.hostRgba.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            for y in 0..<height { (data + y * bytesPerRow).copyMemory(from: base + y * width * 4, byteCount: width * 4) }
        }
    }
}
