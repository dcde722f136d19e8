import Foundation
import Testing

@testable import BoothCore

/// 10,000 damaged files of every kind: each gives its typed error or a right result, and none a trap, which would end the
/// whole run.
@Suite struct FuzzTests {
    private static let count = 10_000

    /// `read` on damaged forms of `files`; how many were refused.
    private func refused<E: Error>(
        _ files: [[UInt8]], within: [Int], seed: UInt64, _ kind: E.Type, _ read: ([UInt8]) throws -> Void
    ) -> Int {
        var random = Random(seed)
        var refused = 0
        for i in 0..<Self.count {
            let bytes = random.damaged(files[i % files.count], within: within[i % files.count])
            do {
                try read(bytes)
            } catch is E {
                refused += 1
            } catch {
                Issue.record("\(i): \(error) is no \(E.self)")
            }
        }
        return refused
    }

    private func smallGalleries() throws -> [[UInt8]] {
        let files = Vectors.files(Vectors.galleries) + Vectors.files(Vectors.galleries.appendingPathComponent("v1"))
        return try files.map { try Array(Data(contentsOf: $0)) }.filter { $0.count < 20_000 }
    }

    private func headerEnd(_ file: [UInt8]) -> Int { 8 + (file.withUnsafeBytes { headerLength(of: $0, most: 1 << 20) } ?? 0) }

    @Test func galleries() throws {
        let files = try smallGalleries()
        let count = refused(files, within: files.map(headerEnd), seed: 1, GalleryError.self) { bytes in
            let gallery = try Gallery(Data(bytes))
            #expect(try Gallery(gallery.encode()) == gallery)
        }
        #expect(count > Self.count / 2, "\(count)")
    }

    /// The same with lengths and hashes put right, so that damage reaches what lies behind them.
    @Test func galleriesThatAddUp() throws {
        let files = try smallGalleries()
        let headers = files.map { Array($0[8..<headerEnd($0)]) }
        var next = -1
        let count = refused(headers, within: headers.map(\.count), seed: 2, GalleryError.self) { header in
            next += 1
            let original = files[next % files.count]
            let length = withUnsafeBytes(of: UInt64(header.count).littleEndian, Array.init)
            var bytes = length + header + original[headerEnd(original)...]
            if GalleryHeader.isCurrent(header) {
                let hash = bytes.withUnsafeBytes { Gallery.hash($0, headerLength: header.count) }
                bytes.replaceSubrange(8 + GalleryHeader.hashAt..<8 + GalleryHeader.hashAt + 64, with: hash.utf8)
            }
            let gallery = try Gallery(Data(bytes))
            #expect(try Gallery(gallery.encode()) == gallery)
        }
        #expect(count > Self.count / 2, "\(count)")
    }

    @Test func manifests() throws {
        let files = try Vectors.precisions.map { try Array(Vectors.data("bundle-\($0)/manifest.json")) }
        let count = refused(files, within: files.map(\.count), seed: 3, BundleError.self) { bytes in
            let manifest = try Manifest(Data(bytes))
            // Whatever was taken can be reckoned with.
            #expect(manifest.hrSize <= 4096)
            for graph in Manifest.Graph.allCases {
                for spec in manifest.tensors(graph, .inputs) { #expect(spec.shape.reduce(1, *) > 0) }
            }
            do { _ = try manifest.emptyGallery.encode() } catch is GalleryError {}
        }
        #expect(count > Self.count / 2, "\(count)")
    }

    @Test func goldenVectors() throws {
        let whole = try Array(Vectors.data("bundle-\(try #require(Vectors.precisions.first))/golden.safetensors"))
        let end = headerEnd(whole)
        let small = Array(whole[..<min(end + 4096, whole.count)])
        _ = refused([small], within: [end], seed: 4, BundleError.self) { _ = try Safetensors(Data($0)) }
        #expect(throws: Never.self) { try Safetensors(Data(whole)) }
    }
}
