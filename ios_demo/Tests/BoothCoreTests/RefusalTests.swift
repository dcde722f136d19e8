import Foundation
import Testing

@testable import BoothCore

/// Damaged files give the errors that the app has words for, or a right result: never a trap.
@Suite struct RefusalTests {
    let content: Data
    let good: String
    let old: String
    let tensors: Data

    init() throws {
        content = try Data(contentsOf: Vectors.galleries.appendingPathComponent("tiny-empty.gallery"))
        let length = try #require(content.withUnsafeBytes { headerLength(of: $0, most: 1 << 20) })
        good = Self.header(content)
        old = Self.header(try Data(contentsOf: Vectors.galleries.appendingPathComponent("v1/tiny-empty.gallery")))
        tensors = content.dropFirst(8 + length)
    }

    private static func header(_ file: Data) -> String {
        let length = file.withUnsafeBytes { headerLength(of: $0, most: 1 << 20) ?? 0 }
        return String(decoding: file.dropFirst(8).prefix(length), as: UTF8.self).trimmingCharacters(in: .whitespaces)
    }

    /// A file of this header, with the right hash where the header has one of ours.
    private func file(_ text: String, fill: Int? = nil) -> Data {
        var written = Array(text.utf8)
        written += [UInt8](repeating: 32, count: fill ?? (8 - written.count % 8) % 8)
        var result = withUnsafeBytes(of: UInt64(written.count).littleEndian) { Data($0) } + written + tensors
        if GalleryHeader.isCurrent(written) {
            let hash = result.withUnsafeBytes { Gallery.hash($0, headerLength: written.count) }
            result.replaceSubrange(8 + GalleryHeader.hashAt..<8 + GalleryHeader.hashAt + 64, with: Data(hash.utf8))
        }
        return result
    }

    @Test func aReaderTakesWhatAWriterWritesAndNothingElse() throws {
        #expect(file(good) == content)
        for (text, fill) in [
            (good, (8 - good.utf8.count % 8) % 8 + 8), (good.replacing("\"sections\":", with: "\"sections\": "), nil),
            (good.replacing("\"entries\":\"[]\"", with: "\"entries\":\"\\u005b]\""), nil),
            (good.replacing("\"data_offsets\":[0,0]", with: "\"data_offsets\":[-0,0]"), nil),
        ] as [(String, Int?)] { #expect(throws: GalleryError.self, "\(text)") { try Gallery(file(text, fill: fill)) } }
    }

    @Test func ofVersion1OtherSpacesOrdersAndEscapesAreTaken() throws {
        for text in [
            old, old + "   ", old.replacing("{\"__metadata__\"", with: "\n{ \"__metadata__\""),
            old.replacing("\"format\":\"edgesr-gallery\"", with: "\"format\":\"edgesr\\u002dgallery\""),
            old.replacing("[0,0]", with: "[-0,0]"),
        ] { #expect(try Gallery(file(text, fill: 0)).encode() == content, "\(text)") }
    }

    @Test(arguments: [
        (#""format_version":"2""#, #""format_version":"3""#), (#""format_version":"2""#, #""format_version":"1""#),
        (#""format":"edgesr-gallery""#, #""format":"edgesr-thumbnail""#), (#""sections":""#, #""thumbnail":"x","sections":""#),
        (#""sections":"["#, #""sections":"[1,"#), (#""sections":"["#, #""sections":"{}","x":"["#), (#"scale\":4"#, #"scale\":3"#),
        (#"scale\":4"#, #"scale\":\"4\""#), (#"scale\":4"#, #"scale\":4,\"x\":1"#), (#"lr_size\":8"#, #"lr_size\":1000"#),
        (#"lr_size\":8"#, #"lr_size\":9223372036854775807"#), (#"dtype\":\"int8"#, #"dtype\":\"int4"#),
        (#"codes\":[]"#, #"codes\":[[\"style\",4]]"#), (#"codes\":[]"#, #"codes\":[[\"style\"]]"#), (#"codes\":[]"#, #"codes\":{}"#),
        (#"entries\":[]"#, #"entries\":[0]"#), (#"entries\":[]"#, #"entries\":null"#),
        (#""entries":"[]""#, #""entries":"[]","extensions":"{}""#), (#""entries":"[]""#, #""entries":"[]","extensions":"[]""#),
        (#""entries":"[]""#, #""entries":"[]","extensions":"{\"a\":1}""#),
        (#""entries":"[]""#, #""entries":"[]","extensions":"{\"b\":\"x\",\"a\":\"x\"}""#), (#""entries":"[]""#, #""entries":"{}""#),
        (#""entries":"[]""#, #""entries":"[null]""#), (#""entries":"[]""#, #""entries":"[1e3]""#), (#"{"dtype""#, #"{"x":1,"dtype""#),
        (#""dtype":"F32""#, #""dtype":"F64""#), (#""data_offsets":[0,0]"#, #""data_offsets":[0,1]"#), (#""shape":[0,"#, #""shape":[-1,"#),
    ]) func theFormatForbidsIt(_ before: String, _ changed: String) throws {
        let range = try #require(good.range(of: before))
        #expect(throws: GalleryError.self) { try Gallery(file(good.replacingCharacters(in: range, with: changed))) }
    }

    @Test(arguments: [
        (#""format_version":"1""#, #""format_version":"2""#), (#""scale":""#, #""thumbnail":"x","scale":""#),
        (#""scale":""#, #""scale":"3"#),
        (#""scale":"4""#, #""scale":4"#), (#""scale":"4","#, ""), (#""lr_size":""#, #""lr_size":"999"#),
        (#""lr_size":""#, #""lr_size":"+"#),
        (#""entries":"[]""#, #""entries":"{}""#), (#""entries":"[]""#, #""entries":"[NaN]""#),
        (#""feature_space":""#, #""feature_space":"\ud800"#), (#""feature_space":""#, #""feature_space":"\u0007"#),
        (#"{"__metadata__""#, #"{"extra":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"__metadata__""#),
        (#"{"__metadata__""#, #"{"__metadata__":{},"__metadata__""#), ("[0,0]", "[0.0,0]"),
        (#""data_offsets":[0,0]"#, #""data_offsets":[0]"#), (#""dtype":"F32""#, #""dtype":"F33""#),
        (#""shape":[0,"#, #""shape":[9223372036854775807,"#), (#""shape":[0,"#, #""shape":[536870912,536870912,536870912,"#),
    ]) func version1ForbidsIt(_ before: String, _ changed: String) throws {
        let range = try #require(old.range(of: before))
        #expect(throws: GalleryError.self) { try Gallery(file(old.replacingCharacters(in: range, with: changed), fill: 0)) }
    }

    @Test func whatIsNoHeaderIsRefused() throws {
        let deep = String(repeating: "[", count: 200_000)
        for text in ["", "null", "[]", "{}", "{", deep, "{\"a\":\(deep)", "\u{feff}\(good)", "\(good)x", "\(good.dropLast()),}"] {
            #expect(throws: GalleryError.self, "\(text.prefix(20))") { try Gallery(file(text, fill: 0)) }
        }
        for bad in [content + [0], content.dropLast(content.count), Data([255, 255, 255, 255, 255, 255, 255, 255]) + content.dropFirst(8)] {
            #expect(throws: GalleryError.self) { try Gallery(bad) }
        }
    }

    @Test(arguments: ["example", "two-maps-and-a-code", "two-networks"]) func everyCutAndEveryChangedByteIsRefused(_ name: String) throws {
        let whole = try Data(contentsOf: Vectors.galleries.appendingPathComponent("\(name).gallery"))
        var random = Random(7)
        func refused(_ bytes: Data) -> Bool {
            do { _ = try Gallery(bytes) } catch { return error is GalleryError }
            return false
        }
        for at in 0..<whole.count {
            if !refused(whole.prefix(at)) { Issue.record("\(name) cut at \(at)") }
            var bytes = whole
            bytes[at] ^= UInt8.random(in: 1...255, using: &random)
            if !refused(bytes) { Issue.record("\(name) changed at \(at)") }
        }
    }
}
