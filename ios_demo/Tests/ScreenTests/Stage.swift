import AVFoundation
import BoothCore
import BoothEngine
import Foundation
import Photos
import PhotosUI
import SwiftUI
import Testing

@testable import BoothApp

/// All tests of the app: one after the other, since stand-ins are shared.
@Suite(.serialized) @MainActor struct AppTests {}

/// An app of its own for a test: its storage, its settings, its screen.
@MainActor final class Stage {
    nonisolated static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..").standardized
    nonisolated static let testdata = root.appendingPathComponent("testdata")
    static let models = root.appendingPathComponent("App/Resources/Models")
    static let galleries = root.appendingPathComponent("../tests/data/galleries").standardized
    private static let caches = FileManager.default.temporaryDirectory.appendingPathComponent("caches-\(UUID().uuidString)")
    nonisolated static let vectors: Json = {
        guard let content = try? Data(contentsOf: testdata.appendingPathComponent("vectors.json")), let json = try? Json.parse(content)
        else {
            fatalError("no testdata/vectors.json: make ios-assets puts it there")
        }
        return json
    }()
    /// The networks that Python restored with, the one to prefer first.
    nonisolated static let precisions = Precision.allCases.filter { vectors["restored-\($0.rawValue)"] != nil }

    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("booth-\(UUID().uuidString)")
    let booth: Booth
    let screen: Screen
    /// Bytes that are free.
    let space = Space()
    final class Space: @unchecked Sendable { var free = 1 << 40 }

    init(consented: Bool = true, models: URL = Stage.models) throws {
        try HostCatalog.load(Self.root.appendingPathComponent("App/Resources/Localizable.xcstrings"))
        HostCamera.status = .authorized
        HostCamera.answer = true
        HostCamera.positions = [.front, .back]
        HostCamera.isBusy = false
        HostCamera.photo = nil
        HostPhotos.status = .authorized
        HostPhotos.fails = false
        HostPhotos.added = []
        let space = space
        let storage = Storage(folder: folder, caches: Self.caches, freeBytes: { space.free })
        let settings = try #require(UserDefaults(suiteName: "booth-\(UUID().uuidString)"))
        booth = Booth(pipeline: Pipeline(storage: storage, models: models), settings: settings)
        booth.consented = consented
        screen = Screen(RootView())
        screen.inject(booth)
    }

    static func photo(_ name: String) -> URL { testdata.appendingPathComponent("photos/\(name)") }

    static func items(_ names: [String]) -> [PhotosPickerItem] { names.map { PhotosPickerItem(host: photo($0)) } }

    var gallery: Gallery? { try? booth.pipeline.storage.gallery.read() }

    /// Leads to the gallery and picks photos there; questions are the test's.
    func pick(_ names: String...) async {
        if booth.path != [.gallery] { booth.path = [.gallery] }
        _ = await screen.until { $0.control("Add photos") { $0.take != nil } != nil }
        #expect(screen.give("Add photos", Self.items(names)))
    }

    /// Learns from photos of one person.
    func learn(_ names: String...) async {
        booth.path = [.gallery]
        _ = await screen.until { $0.control("Add photos") { $0.take != nil } != nil }
        #expect(screen.give("Add photos", Self.items(names)))
        if names.count > 1 {
            #expect(await screen.shows("Is this one person?"))
            screen.press("Learn from these")
        }
        #expect(await settled(names.count))
        booth.path = []
    }

    /// Waits until so many photos are remembered and others can be added: tiles are drawn before learning has ended.
    func settled(_ count: Int) async -> Bool {
        await screen.until {
            $0.texts.filter { $0.hasPrefix("Photo ") && !$0.hasPrefix("Photos") }.count == count
                && $0.control("Add photos") { $0.take != nil } != nil
        }
    }

    /// Chooses a photo on the home screen.
    func restore(_ name: String) async {
        booth.path = []
        _ = screen.tree
        #expect(screen.give("Choose a photo", Self.items([name])))
        _ = await screen.until { _ in booth.path == [.result] || booth.problem != nil }
    }

    /// Waits for a result.
    func restored() async -> Bool { await screen.until { $0.texts.contains("Strength") } }

    func reads(_ text: String) async -> Bool {
        let found = await screen.shows(text)
        if !found { print("not on the screen: \(text)\n\(screen.tree.described())") }
        return found
    }

    static func floats(_ value: Json?) -> [Float] { (value?.items ?? []).compactMap { $0.double.map(Float.init) } }

    /// A square picture, of the size that its network has.
    static func square(_ value: Json?) throws -> Pixels {
        let rgb = (value?.items ?? []).compactMap { $0.integer.flatMap(UInt8.init(exactly:)) }
        let side = Int((Double(rgb.count) / 3).squareRoot())
        return try Pixels(width: side, height: side, rgb: rgb)
    }

    static func psnr(_ a: Pixels, _ b: Pixels) -> Double {
        guard a.width == b.width, a.height == b.height else { return 0 }
        let sum = zip(a.rgb, b.rgb).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
        return sum == 0 ? 99 : 10 * log10(255 * 255 * Double(a.rgb.count) / sum)
    }
}
