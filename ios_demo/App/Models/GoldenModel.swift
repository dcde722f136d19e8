import BoothCore
import BoothEngine
import Foundation
import Observation

/// The bundles' golden vectors on this very device: how far Core ML is from what the saved program means.
@MainActor @Observable final class GoldenModel {
    struct Row: Identifiable, Equatable {
        let precision: Precision
        let units: ComputeUnits
        let output: String
        let decibels: Double
        /// What the bundle's parity gate asked for.
        let least: Double
        var holds: Bool { decibels >= least }
        var id: String { "\(precision) \(units) \(output)" }
    }

    private(set) var rows: [Row] = []
    private(set) var isBusy = false
    private(set) var problem: Problem?
    private let booth: Booth

    init(booth: Booth) { self.booth = booth }

    func run() async {
        rows = []
        problem = nil
        isBusy = true
        defer { isBusy = false }
        do {
            for precision in booth.available {
                let golden = try booth.pipeline.bundle(precision).golden()
                for units in ComputeUnits.allCases {
                    try Task.checkCancellation()
                    let engine = try await booth.pipeline.open(precision, units: units)
                    for (output, decibels) in try await golden.decibels(of: engine) {
                        let least = golden.least[output] ?? 0
                        rows.append(Row(precision: precision, units: units, output: output, decibels: decibels, least: least))
                    }
                }
            }
        } catch is CancellationError {
            return
        } catch {
            problem = Problem(error)
        }
    }
}
