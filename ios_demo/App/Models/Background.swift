/// Does something slow away from the main actor, and waits for it: nonisolated and asynchronous, it runs nowhere else.
func background<Value: Sendable>(_ work: @Sendable () throws -> Value) async rethrows -> Value { try work() }
