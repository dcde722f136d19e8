/// What a tensor's numbers are.
public enum DType: String, Sendable {
    case f32 = "F32"
    case f16 = "F16"
    case i8 = "I8"

    /// Bytes of one number.
    public var size: Int {
        switch self {
        case .f32: 4
        case .f16: 2
        case .i8: 1
        }
    }
}

/// A tensor's type and shape.
public struct Tensor: Hashable, Sendable {
    public let dtype: DType
    public let shape: [Int]

    public init(dtype: DType, shape: [Int]) {
        self.dtype = dtype
        self.shape = shape
    }

    /// More than any file has; a product that would pass it stays here.
    private static let most = 1 << 50

    /// Bytes of all numbers; lengths are 0 or more. Whatever a damaged file says, this does not overflow.
    public var bytes: Int {
        if shape.contains(0) { return 0 }
        return shape.reduce(dtype.size) { product, length in
            let (result, overflow) = product.multipliedReportingOverflow(by: length)
            return overflow || result > Self.most ? Self.most : result
        }
    }
}

/// A tensor, and what it is called.
public struct NamedTensor: Hashable, Sendable {
    public let name: String
    public let tensor: Tensor

    init(_ name: String, _ dtype: DType, _ shape: [Int]) {
        self.name = name
        tensor = Tensor(dtype: dtype, shape: shape)
    }
}
