/// A square of pixels, each taken bilinearly from where a map takes its index, as OpenCV's warpAffine with INTER_LINEAR: in
/// float32, since a level rounded otherwise can move a landmark by half a pixel. Mirrored at the edges.
enum Warp {
    static func linear(_ image: Pixels, _ map: Affine, size: Int) -> Pixels {
        let (a, b, c) = (Float(map.a), Float(map.b), Float(map.c))
        let (d, e, f) = (Float(map.d), Float(map.e), Float(map.f))
        let rgb = image.rgb
        var result = Pixels(width: size, height: size)
        for y in 0..<size {
            let startX = Float(y) * b + c, startY = Float(y) * e + f
            for x in 0..<size {
                // One rounding: OpenCV's multiplication and addition are one step.
                let sx = Float(Double(x) * Double(a) + Double(startX)), sy = Float(Double(x) * Double(d) + Double(startY))
                let left = sx.rounded(.down), top = sy.rounded(.down)
                let across = sx - left, down = sy - top
                let first = mirror(Int(left), image.width), second = mirror(Int(left) + 1, image.width)
                let upper = mirror(Int(top), image.height) * image.width, lower = mirror(Int(top) + 1, image.height) * image.width
                for i in 0..<3 {
                    let above = mix(rgb[3 * (upper + first) + i], rgb[3 * (upper + second) + i], across)
                    let below = mix(rgb[3 * (lower + first) + i], rgb[3 * (lower + second) + i], across)
                    result.rgb[(y * size + x) * 3 + i] = roundedLevel(above + down * (below - above))
                }
            }
        }
        return result
    }

    private static func mix(_ one: UInt8, _ other: UInt8, _ share: Float) -> Float {
        Float(one) + share * (Float(other) - Float(one))
    }
}
