import Foundation
import Testing

@testable import BoothCore

@Suite struct PixelsTests {
    @Test func everyLevelBecomesPythonsFloat() throws {
        let image = try Pixels(width: 256, height: 1, rgb: (0..<768).map { UInt8($0 / 3) })
        for (i, value) in image.unit.enumerated() { #expect(value == Float(i / 3) / 255) }
        #expect(try Pixels(width: 256, height: 1, unit: image.unit) == image)
    }

    @Test func floatsAreClampedAndRoundedHalfToEven() throws {
        let levels: [Float] = [0.5, 1.5, 2.5]
        let image = try Pixels(width: 2, height: 1, unit: [-0.5, 1.5] + levels.map { $0 / 255 } + [0.999])
        #expect(image.rgb == [0, 255, 0, 2, 2, 255])
        #expect(throws: PictureError.self) { try Pixels(width: 1, height: 1, unit: [0, .nan, 0]) }
    }

    @Test func rgbaGoesThereAndBackAndTransparencyBecomesWhite() throws {
        let image = try Pixels(width: 2, height: 2, rgb: (0..<12).map { UInt8($0 * 21) })
        #expect(try Pixels(width: 2, height: 2, rgba: image.rgba, bytesPerRow: 8) == image)
        let padded = Array(image.rgba[..<8]) + [1, 2, 3, 4] + Array(image.rgba[8...])
        #expect(try Pixels(width: 2, height: 2, rgba: padded, bytesPerRow: 12) == image)
        #expect(try Pixels(width: 1, height: 1, rgba: [0, 0, 0, 0], bytesPerRow: 4).rgb == [255, 255, 255])
        #expect(throws: PictureError.self) { try Pixels(width: 2, height: 2, rgba: [0, 0, 0, 0], bytesPerRow: 8) }
    }

    @Test func sizesThatDoNotFitAreRefused() {
        for (width, height, count) in [(0, 1, 0), (1, -1, 0), (2, 2, 11), (Int.max, Int.max, 3), (Int.max / 3, 3, 0)] {
            #expect(throws: PictureError.self) { try Pixels(width: width, height: height, rgb: [UInt8](repeating: 0, count: count)) }
        }
    }

    @Test func picturesAndGraphsHaveTheirOwnOrder() throws {
        let values = (0..<24).map { Float($0) }
        let planes = try Planes.from(values, pictures: 2, channels: 3)
        #expect(planes[0..<4] == [0, 3, 6, 9])
        #expect(planes[12..<16] == [12, 15, 18, 21])
        #expect(try Planes.interleaved(planes, pictures: 2, channels: 3) == values)
        #expect(throws: PictureError.self) { try Planes.from(values, channels: 5) }
    }

    @Test func bicubicIsThatOfTheNetworksTraining() throws {
        let face = try Vectors.all.get("bicubic").get("in").levels(width: 128)
        let expected = try Vectors.all.get("bicubic").get("out").levels(width: 32)
        let small = Bicubic.resize(face.levels, from: 128, to: 32)
        for (a, b) in zip(small, expected.rgb) { #expect(abs(min(max(a, 0), 255) - Float(b)) <= 0.5001) }
    }

    @Test func picturesAreScaledAsPillowAndOpenCVDoToTheByte() throws {
        let resized = try Vectors.web.get("resized")
        let noise = try resized.get("noise").picture(), even = try resized.get("even").picture()
        for (name, from, scale) in [
            ("bicubic", noise, { Bicubic.resize($0, width: $1, height: $2) }),
            ("area", noise, { AreaResize.resize($0, width: $1, height: $2) }),
            ("area_of_even", even, { AreaResize.resize($0, width: $1, height: $2) }),
            ("cubic", noise, { CubicResize.enlarge($0, width: $1, height: $2) }),
        ] as [(String, Pixels, (Pixels, Int, Int) -> Pixels)] {
            for one in try resized.get(name).list() {
                let expected = try one.picture()
                let (most, count) = try Vectors.differences(scale(from, expected.width, expected.height), expected)
                #expect(most == 0 && count == 0, "\(name) to \(expected.width) x \(expected.height): \(count) levels differ")
            }
        }
    }

    @Test func constantsAndSizesAreKept() throws {
        let grey = try Pixels(width: 17, height: 9, rgb: [UInt8](repeating: 77, count: 17 * 9 * 3))
        #expect(Bicubic.resize(grey, width: 5, height: 30).rgb.allSatisfy { $0 == 77 })
        #expect(Bicubic.resize(grey, width: 17, height: 9) == grey)
        #expect(AreaResize.resize(grey, width: 17, height: 9) == grey)
        #expect(grey.mirrored == grey)
    }
}
