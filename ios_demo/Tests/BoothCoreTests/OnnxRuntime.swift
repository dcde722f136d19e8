import Foundation
import Testing

@testable import BoothCore

#if canImport(Glibc)
    import Glibc
#endif

/// YuNet's own ONNX graph in ONNX Runtime's C library, the one that Python's package brings (`EDGESR_ONNXRUNTIME`). Its
/// interface is a table of functions whose order never changes; the places used here are those of version 1.
final class OnnxRuntime: FaceNetwork, @unchecked Sendable {
    static let library = ProcessInfo.processInfo.environment["EDGESR_ONNXRUNTIME"]

    private typealias Pointer = OpaquePointer
    private typealias Status = Pointer?
    private typealias Text = UnsafePointer<CChar>

    private static let version: UInt32 = 17

    private enum Place: Int {
        case errorMessage = 2
        case createEnv = 3
        case createSession = 7
        case run = 9
        case createOptions = 10
        case intraThreads = 24
        case createTensor = 49
        case tensorData = 51
        case createMemoryInfo = 69
        case releaseValue = 96
    }

    /// The table of functions.
    private struct Functions {
        let start: UnsafeRawPointer

        func at<F>(_ place: Place, _ type: F.Type) -> F { start.load(fromByteOffset: place.rawValue * 8, as: type) }

        func check(_ status: Status) throws {
            guard let status else { return }
            let message = at(.errorMessage, (@convention(c) (Pointer) -> Text).self)
            throw BundleError("ONNX Runtime: \(String(cString: message(status)))")
        }
    }

    private let functions: Functions
    private let session: Pointer
    private let memory: Pointer
    private let lock = NSLock()

    init(model: URL) throws {
        let path = try #require(Self.library)
        let handle = try #require(dlopen(path, RTLD_NOW), "\(String(cString: dlerror()))")
        let symbol = try #require(dlsym(handle, "OrtGetApiBase"))
        let base = unsafeBitCast(symbol, to: (@convention(c) () -> UnsafeRawPointer).self)()
        let get = base.load(as: (@convention(c) (UInt32) -> UnsafeRawPointer?).self)
        functions = Functions(start: try #require(get(Self.version)))
        var env: Pointer?, options: Pointer?, session: Pointer?, memory: Pointer?
        try functions.check(
            functions.at(.createEnv, (@convention(c) (Int32, Text, UnsafeMutablePointer<Pointer?>) -> Status).self)(3, "test", &env))
        try functions.check(functions.at(.createOptions, (@convention(c) (UnsafeMutablePointer<Pointer?>) -> Status).self)(&options))
        try functions.check(functions.at(.intraThreads, (@convention(c) (Pointer?, Int32) -> Status).self)(options, 1))
        let create = functions.at(
            .createSession, (@convention(c) (Pointer?, Text, Pointer?, UnsafeMutablePointer<Pointer?>) -> Status).self)
        try functions.check(create(env, model.path, options, &session))
        let info = functions.at(.createMemoryInfo, (@convention(c) (Int32, Int32, UnsafeMutablePointer<Pointer?>) -> Status).self)
        try functions.check(info(0, 0, &memory))
        self.session = try #require(session)
        self.memory = try #require(memory)
    }

    func run(_ picture: Pixels) async throws -> YunetOutputs {
        let width = Yunet.padded(picture.width), height = Yunet.padded(picture.height)
        var input = try Yunet.input(picture, width: width, height: height)
        return YunetOutputs(width: width, height: height, values: try lock.withLock { try infer(&input, width, height) })
    }

    private func infer(_ input: inout [Float], _ width: Int, _ height: Int) throws -> [String: [Float]] {
        let create = functions.at(
            .createTensor,
            (@convention(c) (
                Pointer, UnsafeMutableRawPointer?, Int, UnsafePointer<Int64>, Int, Int32, UnsafeMutablePointer<Pointer?>
            ) -> Status).self)
        let run = functions.at(
            .run,
            (@convention(c) (
                Pointer, Pointer?, UnsafePointer<Text?>, UnsafePointer<Pointer?>, Int, UnsafePointer<Text?>, Int,
                UnsafeMutablePointer<Pointer?>
            ) -> Status).self)
        let data = functions.at(
            .tensorData, (@convention(c) (Pointer?, UnsafeMutablePointer<UnsafeMutableRawPointer?>) -> Status).self)
        let release = functions.at(.releaseValue, (@convention(c) (Pointer?) -> Void).self)
        let names = ["cls", "obj", "bbox", "kps"].flatMap { name in [8, 16, 32].map { "\(name)_\($0)" } }
        let (cInput, cNames) = (strdup("input"), names.map { strdup($0) })
        defer { for name in cNames + [cInput] { free(name) } }
        return try input.withUnsafeMutableBytes { bytes in
            var tensor: Pointer?
            let shape: [Int64] = [1, 3, Int64(height), Int64(width)]
            try functions.check(create(memory, bytes.baseAddress, bytes.count, shape, 4, 1, &tensor))
            defer { release(tensor) }
            var outputs = [Pointer?](repeating: nil, count: names.count)
            defer { outputs.forEach(release) }
            let inputName: [Text?] = [cInput.map { Text($0) }], outputNames = cNames.map { $0.map { Text($0) } }
            try functions.check(run(session, nil, inputName, [tensor], 1, outputNames, names.count, &outputs))
            var result: [String: [Float]] = [:]
            for (name, value) in zip(names, outputs) {
                let parts = name.split(separator: "_")
                let (stride, each) = (Int(parts[1]) ?? 8, ["cls": 1, "obj": 1, "bbox": 4, "kps": 10][parts[0]] ?? 1)
                var start: UnsafeMutableRawPointer?
                try functions.check(data(value, &start))
                let count = width / stride * (height / stride) * each
                result[name] = Array(UnsafeBufferPointer(start: start?.assumingMemoryBound(to: Float.self), count: count))
            }
            return result
        }
    }
}
