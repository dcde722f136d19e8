import Foundation

extension Enhance {
    /// How much of the restored face shows at (u, v), the square's own coordinates from -1 to 1: 1 inside, 0 outside.
    static func feather(_ u: Double, _ v: Double) -> Double {
        let power = Rules.Paste.roundness
        let radius = pow(pow(u.magnitude, power) + pow(v.magnitude, power), 1 / power)
        let t = min(max((1 - radius) / Rules.Paste.feather, 0), 1)
        return t * t * t * (t * (6 * t - 15) + 10)
    }

    /// Blend `face` into the photo at its square by `strength`, 0 to 1; every pixel outside keeps its value.
    public static func paste(_ face: Pixels, into photo: inout Pixels, _ alignment: Alignment, strength: Double = 1) {
        guard strength > 0 else { return }
        let reach = alignment.half.x.magnitude + alignment.half.y.magnitude
        let left = max(0, Int((alignment.centre.x - reach).rounded(.down)))
        let top = max(0, Int((alignment.centre.y - reach).rounded(.down)))
        let right = min(photo.width, Int((alignment.centre.x + reach).rounded(.up)))
        let bottom = min(photo.height, Int((alignment.centre.y + reach).rounded(.up)))
        guard left < right, top < bottom else { return }
        // Shown smaller than it is, a face is scaled down before it is turned.
        let side = min(face.width, max(1, Int(alignment.side.rounded(.up))))
        let levels = side == face.width ? face.levels : Bicubic.resize(face.levels, from: face.width, to: side)
        let map = alignment.cropFromPhoto(side)
        let middle = Double(side) / 2
        let sampler = Sampler(levels, width: side, height: side, cubic: true)
        for y in top..<bottom {
            for x in left..<right {
                let p = map(Point(Double(x) + 0.5, Double(y) + 0.5))
                let mask = strength * feather(p.x / middle - 1, p.y / middle - 1)
                guard mask > 0 else { continue }
                let sums = sampler.at(p.x - 0.5, p.y - 0.5)
                for c in 0..<3 {
                    let at = (y * photo.width + x) * 3 + c
                    let before = Double(photo.rgb[at])
                    photo.rgb[at] = roundedLevel(before + mask * (min(max(sums[c], 0), 255) - before))
                }
            }
        }
    }
}
