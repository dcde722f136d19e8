/// Scaling down by averaging what falls on each pixel, as OpenCV's INTER_AREA: the detector's pictures are made by it.
enum AreaResize {
    private struct Part {
        let first: Int
        let weights: [Float]
    }

    /// The picture at a size no larger than its own.
    static func resize(_ image: Pixels, width: Int, height: Int) -> Pixels {
        if width == image.width && height == image.height { return image }
        if image.width % width == 0 && image.height % height == 0 { return averaged(image, width: width, height: height) }
        let columns = parts(image.width, width), rows = parts(image.height, height)
        var result = Pixels(width: width, height: height)
        var sums = [Float](repeating: 0, count: width * 3)
        var row = sums
        for y in 0..<height {
            for i in sums.indices { sums[i] = 0 }
            for (k, weight) in rows[y].weights.enumerated() {
                shrinkRow(image, rows[y].first + k, columns, &row)
                for i in sums.indices { sums[i] += row[i] * weight }
            }
            for i in sums.indices { result.rgb[y * width * 3 + i] = roundedLevel(sums[i]) }
        }
        return result
    }

    /// By whole factors: means of whole blocks. OpenCV rounds those of 2 x 2 half up, all others half to even.
    private static func averaged(_ image: Pixels, width: Int, height: Int) -> Pixels {
        let across = image.width / width, down = image.height / height
        let stride = image.width * 3
        let share = 1 / Float(across * down)
        let two = across == 2 && down == 2
        var result = Pixels(width: width, height: height)
        for y in 0..<height {
            for x in 0..<width {
                for c in 0..<3 {
                    var sum = 0
                    let start = y * down * stride + x * across * 3 + c
                    for j in 0..<down { for i in 0..<across { sum += Int(image.rgb[start + j * stride + 3 * i]) } }
                    result.rgb[(y * width + x) * 3 + c] = two ? UInt8((sum + 2) >> 2) : roundedLevel(Float(sum) * share)
                }
            }
        }
        return result
    }

    private static func shrinkRow(_ image: Pixels, _ y: Int, _ columns: [Part], _ into: inout [Float]) {
        for (x, part) in columns.enumerated() {
            var (red, green, blue) = (Float(0), Float(0), Float(0))
            var at = (y * image.width + part.first) * 3
            for weight in part.weights {
                red += weight * Float(image.rgb[at])
                green += weight * Float(image.rgb[at + 1])
                blue += weight * Float(image.rgb[at + 2])
                at += 3
            }
            (into[3 * x], into[3 * x + 1], into[3 * x + 2]) = (red, green, blue)
        }
    }

    private static func parts(_ from: Int, _ to: Int) -> [Part] {
        let scale = Double(from) / Double(to)
        return (0..<to).map { i in
            let start = Double(i) * scale, end = start + scale
            let cell = min(scale, Double(from) - start)
            let last = min(Int(end.rounded(.down)), from - 1)
            let whole = min(Int(start.rounded(.up)), last)
            let leads = Double(whole) - start > 1e-3
            var weights: [Float] = leads ? [Float((Double(whole) - start) / cell)] : []
            weights += repeatElement(Float(1 / cell), count: last - whole)
            if end - Double(last) > 1e-3 { weights.append(Float(min(min(end - Double(last), 1), cell) / cell)) }
            return Part(first: leads ? whole - 1 : whole, weights: weights)
        }
    }
}
