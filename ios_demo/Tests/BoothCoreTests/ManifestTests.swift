import Foundation
import Testing

@testable import BoothCore

@Suite struct ManifestTests {
    let text: String
    let manifest: Manifest

    init() throws {
        text = String(decoding: try Vectors.data("bundle-fp32/manifest.json"), as: UTF8.self)
        manifest = try Manifest(Data(text.utf8))
    }

    @Test(arguments: Vectors.precisions) func whatABundleSaysOfItself(_ precision: String) throws {
        let content = try Vectors.data("bundle-\(precision)/manifest.json")
        let fields = try Json.parse(content)
        let manifest = try Manifest(content)
        #expect(manifest.precision == precision)
        #expect(try manifest.target == fields.get("target").string())
        #expect(try manifest.featureSpace == fields.get("feature_space").string())
        #expect((manifest.scale, manifest.lrSize, manifest.hrSize, manifest.slots) == (4, 32, 128, 5))
        #expect(manifest.tensors(.restore, .inputs).map(\.name).sorted() == ["features", "lr", "valid"])
        #expect(manifest.tensors(.restore, .outputs).map(\.name).sorted() == ["sr", "weights"])
        #expect(manifest.tensors(.encode, .outputs).map(\.name) == manifest.kept)
        #expect(manifest.tensors(.encode, .outputs).map(\.count) == manifest.section.counts)
        for role in manifest.files.keys {
            for path in try manifest.paths(role) {
                let file = try Vectors.data("bundle-\(precision)/\(path)")
                try manifest.check(path, file)
                #expect(throws: BundleError.self) { try manifest.check(path, file + [0]) }
            }
        }
        #expect(throws: BundleError.self) { try manifest.file("nonsense") }
        #expect(throws: BundleError.self) { try manifest.check("nonsense", content) }
    }

    @Test func aGalleryOfThisNetworkIsKnown() throws {
        let gallery = try Gallery(Vectors.data("python-fp32.gallery"))
        let int8 = try Manifest(Vectors.data("bundle-int8/manifest.json"))
        for one in [manifest, int8] where gallery.index(of: one.section) != nil { #expect(try one.check(gallery) == 0) }
        #expect(try manifest.check(manifest.emptyGallery) == 0)
        #expect(throws: GalleryError.self) { try manifest.check(GalleryTests.named("example")) }
        let section = manifest.section
        func changed(_ maps: [FeatureMap], _ steps: [Float]?) -> Gallery {
            Gallery(
                sections: [
                    Section(
                        featureSpace: section.featureSpace, scale: section.scale, lrSize: section.lrSize, maps: maps, half: steps == nil,
                        steps: steps)
                ])
        }
        #expect(throws: GalleryError.self) { try manifest.check(changed([], nil)) }
        #expect(throws: GalleryError.self) { try manifest.check(changed(section.maps, [0.125])) }
        let entry = Entry(features: [nil], descriptor: [1], label: Label(photoSha256: "", quality: [:], pose: [:]))
        #expect(throws: GalleryError.self) { try manifest.check(Gallery(sections: [section], entries: [entry])) }
    }

    @Test func whatIsNoBundleIsRefused() throws {
        func refused(_ content: String, _ says: String) {
            do {
                _ = try Manifest(Data(content.utf8))
                Issue.record("taken: \(content.prefix(80))")
            } catch {
                #expect("\(error)".contains(says) && error is BundleError, "\(error)")
            }
        }
        refused("", "cannot be read")
        refused("{}", "no edgesr bundle")
        refused("[]", "no edgesr bundle")
        for (key, value, says) in [
            ("format_version", "1.0", "format version"), ("format_version", "2", "format version"), ("name", "5", "name"),
            ("target", "\"two\\nlines\"", "target"), ("files", "{\"encode\":\"../x\"}", "files"),
            ("files", "{\"encode\":\"a//b\"}", "files"),
            ("files", "{\"encode\":\"/etc/passwd\"}", "files"), ("files", "{\"encode\":\"elsewhere\"}", "hash"),
            ("sha256", "{\"a\":\"00\"}", "sha256"), ("model", "{\"scale\":4,\"lr_size\":32,\"slots\":65}", "slots"),
            ("model", "{\"scale\":4,\"lr_size\":9223372036854775807,\"slots\":3}", "lr_size"),
            ("model", "{\"scale\":3,\"lr_size\":32,\"slots\":3}", "scale"), ("features", "{\"parts\":[]}", "features"),
            ("features", "{\"parts\":[{\"name\":\"f\",\"channels\":9999}]}", "channels"),
            ("features", "{\"parts\":[{\"name\":\"f\",\"channels\":8,\"int8_scale\":0}]}", "int8_scale"),
            ("features", "{\"parts\":[{\"name\":\"f\",\"channels\":8}]}", "tensor features"), ("tensors", "{}", "inputs of encode"),
        ] {
            let members = try #require(Json.parse(text.utf8).members)
            let changed = members.map { "\"\($0.key)\":" + ($0.key == key ? value : $0.value.compact) }
            refused("{" + changed.joined(separator: ",") + "}", says)
        }
    }

    @Test func aFolderIsOneRoleOfSeveralFiles() throws {
        let hash = String(repeating: "0", count: 64)
        let members = try #require(Json.parse(text.utf8).members)
        let files = "{\"model\":\"model.mlpackage\"}"
        let hashes = "{\"model.mlpackage/Manifest.json\":\"\(hash)\",\"model.mlpackage/Data/w.bin\":\"\(hash)\",\"model.txt\":\"\(hash)\"}"
        let changed = members.map { "\"\($0.key)\":" + (["files": files, "sha256": hashes][$0.key] ?? $0.value.compact) }
        let manifest = try Manifest(Data(("{" + changed.joined(separator: ",") + "}").utf8))
        #expect(try manifest.paths("model") == ["model.mlpackage/Data/w.bin", "model.mlpackage/Manifest.json"])
    }
}

@Suite struct JsonTests {
    @Test func whatIsWrittenIsReadAgain() throws {
        let text = #"{"a":[1,-2,0.5,true,false,null],"b":{"é":"\u0001\"\\ü😀"},"c":""}"#
        #expect(try Json.parse(text.utf8).compact == text)
        #expect(try Json.parse(#""\ud83d\ude00\/\b\f\n\r\t\u0041""#.utf8) == .string("😀/\u{8}\u{c}\n\r\tA"))
        #expect(try Json.parse("-0".utf8) == .whole(0))
        #expect(try Json.parse("1e3".utf8) == .number(1000))
        #expect(try Json.parse("1.0".utf8).integer == nil)
        // One letter in two spellings is two keys.
        #expect(try Json.parse("{\"\u{e9}\":1,\"e\u{301}\":2}".utf8).members?.count == 2)
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "{\"a\":1,}", "{\"a\":1,\"a\":2}", "01", "+1", "1.", ".5", "1e", "NaN", "'a'", "\"\\x\"", "\"\\u12g4\"",
        "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"a\nb\"", "\"a", "[1] 2", "tru", "1e999", "{1:2}", "[1 2]", "\"\\u12",
    ]) func whatIsNoneIsRefused(_ text: String) {
        #expect(throws: Json.Failure.self) { try Json.parse(text.utf8) }
    }

    @Test func wholeNumbersAreTold() throws {
        for text in ["1.0", "1e3", "9223372036854775808", "[0.5]"] {
            #expect(throws: Json.Failure.self) { try Json.parse(text.utf8, wholeOnly: true) }
        }
        #expect(try Json.parse("-9223372036854775808".utf8, wholeOnly: true) == .whole(.min))
        #expect(throws: Json.Failure.self) { try Json.parse([0x22, 0xff, 0x22]) }
    }
}
