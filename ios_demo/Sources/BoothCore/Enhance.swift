import Foundation

/// What happens to a face on its way out of a photo and back into it, as `edgesr enhance` does it.
public enum Enhance {
    /// The aligned face at the size it has in the photo: one cubic sample a pixel.
    public static func nativeCrop(_ photo: Pixels, _ alignment: Alignment) -> Pixels {
        let size = alignment.wholeSide
        let map = alignment.photoFromCrop(size)
        let sampler = Sampler(photo.rgb, width: photo.width, height: photo.height, cubic: true)
        var result = Pixels(width: size, height: size)
        for j in 0..<size {
            for i in 0..<size {
                let p = map(Point(Double(i) + 0.5, Double(j) + 0.5))
                let sums = sampler.at(p.x - 0.5, p.y - 0.5)
                for c in 0..<3 { result.rgb[(j * size + i) * 3 + c] = roundedLevel(sums[c]) }
            }
        }
        return result
    }

    /// A native crop at the network's LR size.
    public static func lrCrop(_ native: Pixels, lrSize: Int) -> Pixels { Bicubic.resize(native, width: lrSize, height: lrSize) }

    /// `share` (0 to 1) of `over` and the rest of `under`.
    ///
    /// - Throws: ``PictureError`` where they are not of one size.
    public static func blend(under: Pixels, over: Pixels, share: Double) throws -> Pixels {
        guard under.width == over.width, under.height == over.height else {
            throw PictureError("a picture of \(over.width) x \(over.height) pixels over one of \(under.width) x \(under.height)")
        }
        let mixed = zip(under.rgb, over.rgb).map { roundedLevel(Double($0) + share * (Double($1) - Double($0))) }
        return Pixels(under.width, under.height, mixed)
    }

    /// SR + w up(band(native - down(SR))): of what the photo shows of a face and the restored one has not, what `lrSize`
    /// pixels cannot hold comes back. The rest the network saw, and changed for a reason. w is ``signal(_:lrSize:)``.
    public static func keepOwnDetail(_ sr: Pixels, native: Pixels, lrSize: Int) -> Pixels {
        guard native.width > lrSize else { return sr }
        let given = sr.levels
        let low = Bicubic.resize(given, from: sr.width, to: native.width)
        let missing = zip(native.rgb, low).map { Float($0) - $1 }
        let back = Bicubic.resize(band(missing, side: native.width, lrSize: lrSize), from: native.width, to: sr.width)
        let weight = Float(signal(native, lrSize: lrSize))
        return Pixels(sr.width, sr.height, zip(given, back).map { roundedLevel($0 + weight * $1) })
    }

    /// What a square of `side` pixels loses when it is scaled down to `lrSize` and up again.
    private static func band(_ levels: [Float], side: Int, lrSize: Int) -> [Float] {
        let low = Bicubic.resize(Bicubic.resize(levels, from: side, to: lrSize), from: lrSize, to: side)
        return zip(levels, low).map { $0 - $1 }
    }

    /// Wiener's weight: the share of a face's detail beyond the LR size that is not noise, 0 to 1, by luminance.
    public static func signal(_ native: Pixels, lrSize: Int) -> Double {
        let levels = native.levels
        let detail = luminance(band(levels, side: native.width, lrSize: lrSize))
        let mean = average(detail)
        let power = average(detail.map { ($0 - mean) * ($0 - mean) })
        guard power > 0 else { return 0 }
        let noise = noise(of: luminance(levels), side: native.width)
        return max(0, 1 - noise * noise / power)
    }

    /// Standard deviation of the noise of a square: Donoho and Johnstone's estimate from the diagonal Haar coefficients.
    private static func noise(of plane: [Double], side: Int) -> Double {
        var found: [Double] = []
        for y in stride(from: 0, to: side - 1, by: 2) {
            for x in stride(from: 0, to: side - 1, by: 2) {
                let at = y * side + x
                found.append((plane[at] - plane[at + side] - plane[at + 1] + plane[at + side + 1]).magnitude / 2)
            }
        }
        guard !found.isEmpty else { return 0 }
        found.sort()
        let middle = found.count / 2
        let median = found.count % 2 == 1 ? found[middle] : (found[middle - 1] + found[middle]) / 2
        return median / Rules.Noise.gaussian
    }

    private static func luminance(_ levels: [Float]) -> [Double] {
        let weights = Rules.Noise.luminance
        return stride(from: 0, to: levels.count, by: 3).map { at in
            weights[0] * Double(levels[at]) + weights[1] * Double(levels[at + 1]) + weights[2] * Double(levels[at + 2])
        }
    }
}
