import BoothCore
import Foundation
import SwiftUI
import Testing

@testable import BoothApp

extension AppTests {
    /// What VoiceOver is told, on the evaluated tree of every screen; and a drawing of each.
    @Suite @MainActor struct Accessibility {
        private func check(_ screen: Screen, _ name: String) { Stage.check(screen, name) }

        @Test func everyScreenInEveryState() async throws {
            let fresh = try Stage(consented: false)
            check(fresh.screen, "consent")

            let stage = try Stage()
            #expect(await stage.reads("None yet. Two or three sharp ones are enough."))
            check(stage.screen, "home")
            stage.booth.path = [.gallery]
            #expect(await stage.reads("Nothing learned yet"))
            check(stage.screen, "gallery-empty")
            await stage.pick("portrait-0027_1.jpg", "ten.jpg", "no-dark.jpg", "portrait-0027_2.jpg")
            #expect(await stage.reads("Who is it?"))
            check(stage.screen, "whose")
            stage.screen.press("Leave this photo out")
            #expect(await stage.reads("Is this one person?"))
            check(stage.screen, "alike")
            stage.screen.press("Learn from these")
            #expect(await stage.settled(2))
            check(stage.screen, "gallery")
            #expect(stage.screen.press("Delete everything"))
            #expect(await stage.reads("Delete everything?"))
            check(stage.screen, "gallery-delete")
            #expect(stage.screen.press("Cancel"))

            await stage.restore("small.jpg")
            #expect(await stage.restored())
            check(stage.screen, "result-face")
            stage.screen.press("Photo")
            check(stage.screen, "result-photo")
            stage.screen.press("Why")
            check(stage.screen, "result-why")
            stage.screen.environment.horizontalSizeClass = .regular
            stage.screen.press("Face")
            check(stage.screen, "result-wide")
            stage.screen.environment.horizontalSizeClass = .compact
            await stage.restore("ten.jpg")
            #expect(await stage.reads("Whose face?"))
            check(stage.screen, "who")
            await stage.restore("no-face.jpg")
            #expect(await stage.reads("No face found"))
            check(stage.screen, "no-face")

            stage.booth.path = [.camera]
            #expect(await stage.screen.until { $0.control("Take the photo") { $0.action != nil } != nil })
            check(stage.screen, "camera")
            stage.booth.path = [.measure]
            check(stage.screen, "measure")
            stage.booth.path = [.golden]
            check(stage.screen, "golden")
            #expect(HostCatalog.unknown.isEmpty, "words that no catalog has: \(HostCatalog.unknown.sorted())")
        }

        @Test(arguments: Problem.allCases) func everyProblem(_ problem: Problem) throws {
            let stage = try Stage()
            let screen = Screen(ProblemView(problem: problem, leave: {}, choose: { _ in }))
            screen.inject(stage.booth)
            check(screen, "problem-\(problem.rawValue)")
        }
    }
}
