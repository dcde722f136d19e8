import CoreML
import Foundation

extension MLMultiArray {
    /// float32 values in row-major order.
    static func of(_ values: [Float], shape: [Int]) throws -> MLMultiArray {
        guard shape.reduce(1, *) == values.count else {
            throw EngineError.refused("\(values.count) values for a tensor of \(shape)")
        }
        let result = try MLMultiArray(shape: shape.map { NSNumber(value: $0) }, dataType: .float32)
        result.withUnsafeMutableBufferPointer(ofType: Float.self) { buffer, strides in
            var source = 0
            Self.walk(shape, strides) { at in
                buffer[at] = values[source]
                source += 1
            }
        }
        return result
    }

    /// Row-major values whatever strides and precision Core ML chose: it pads rows, and may give halves.
    func contiguous() -> [Float] {
        let shape = shape.map(\.intValue), strides = strides.map(\.intValue)
        var result: [Float] = []
        result.reserveCapacity(shape.reduce(1, *))
        switch dataType {
        case .float16:
            withUnsafeBufferPointer(ofType: Float16.self) { buffer in Self.walk(shape, strides) { result.append(Float(buffer[$0])) } }
        case .double:
            withUnsafeBufferPointer(ofType: Double.self) { buffer in Self.walk(shape, strides) { result.append(Float(buffer[$0])) } }
        default:
            withUnsafeBufferPointer(ofType: Float.self) { buffer in Self.walk(shape, strides) { result.append(buffer[$0]) } }
        }
        return result
    }

    /// Places of all elements in row-major order.
    private static func walk(_ shape: [Int], _ strides: [Int], _ visit: (Int) -> Void) {
        func axis(_ i: Int, _ at: Int) {
            guard i < shape.count else { return visit(at) }
            for k in 0..<shape[i] { axis(i + 1, at + k * strides[i]) }
        }
        axis(0, 0)
    }
}

/// [n, h, w, c] as [n, c, h, w]: Core ML's graphs take channels first.
func channelsFirst(_ values: [Float], count n: Int, area: Int, channels c: Int) -> [Float] {
    var moved = [Float](repeating: 0, count: values.count)
    for i in 0..<n { for k in 0..<c { for p in 0..<area { moved[(i * c + k) * area + p] = values[(i * area + p) * c + k] } } }
    return moved
}

/// [c, h, w] as [h, w, c].
func channelsLast(_ values: [Float], area: Int, channels c: Int) -> [Float] {
    var moved = [Float](repeating: 0, count: values.count)
    for k in 0..<c { for p in 0..<area { moved[p * c + k] = values[k * area + p] } }
    return moved
}
