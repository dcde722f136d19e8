/// https://developer.apple.com/documentation/swiftui/dynamicproperty
public protocol DynamicProperty {}

/// Where the host keeps a view's state while its struct is made anew.
final class Slot<Value>: @unchecked Sendable {
    var value: Value
    init(_ value: Value) { self.value = value }
}

@MainActor protocol Stateful { func adopt(_ store: Screen, _ key: String) }

/// https://developer.apple.com/documentation/swiftui/state
@propertyWrapper public struct State<Value>: DynamicProperty {
    final class Reference: @unchecked Sendable {
        var slot: Slot<Value>
        init(_ slot: Slot<Value>) { self.slot = slot }
    }
    let reference: Reference
    public init(wrappedValue value: Value) { reference = Reference(Slot(value)) }
    public init(initialValue value: Value) { reference = Reference(Slot(value)) }
    public var wrappedValue: Value {
        get { reference.slot.value }
        nonmutating set { reference.slot.value = newValue }
    }
    public var projectedValue: Binding<Value> {
        let reference = reference
        return Binding(unsafeGet: { reference.slot.value }, set: { reference.slot.value = $0 })
    }
}

extension State: Stateful {
    func adopt(_ store: Screen, _ key: String) {
        store.seen.insert(key)
        if let kept = store.kept[key] as? Slot<Value> { reference.slot = kept } else { store.kept[key] = reference.slot }
    }
}

extension State where Value: ExpressibleByNilLiteral { public init() { self.init(wrappedValue: nil) } }

/// https://developer.apple.com/documentation/swiftui/binding
@propertyWrapper @dynamicMemberLookup public struct Binding<Value>: DynamicProperty, @unchecked Sendable {
    let get: () -> Value, set: (Value) -> Void
    @preconcurrency public init(
        get: @escaping @isolated(any) @Sendable () -> Value, set: @escaping @isolated(any) @Sendable (Value) -> Void
    ) {
        self.get = unsafeBitCast(get, to: (@Sendable () -> Value).self)
        self.set = unsafeBitCast(set, to: (@Sendable (Value) -> Void).self)
    }
    init(unsafeGet: @escaping () -> Value, set: @escaping (Value) -> Void) {
        get = unsafeGet
        self.set = set
    }
    public var wrappedValue: Value {
        get { get() }
        nonmutating set { set(newValue) }
    }
    public var projectedValue: Binding<Value> { self }
    public static func constant(_ value: Value) -> Binding<Value> { Binding(unsafeGet: { value }, set: { _ in }) }
    public subscript<T>(dynamicMember path: WritableKeyPath<Value, T>) -> Binding<T> {
        Binding<T>(
            unsafeGet: { get()[keyPath: path] },
            set: { new in
                var all = get()
                all[keyPath: path] = new
                set(all)
            })
    }
}

/// https://developer.apple.com/documentation/swiftui/bindable
@propertyWrapper @dynamicMemberLookup public struct Bindable<Value: AnyObject & Observable>: @unchecked Sendable {
    public var wrappedValue: Value
    public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
    public init(_ value: Value) { wrappedValue = value }
    public var projectedValue: Bindable<Value> { self }
    public subscript<T>(dynamicMember path: ReferenceWritableKeyPath<Value, T>) -> Binding<T> {
        let object = wrappedValue
        return Binding(unsafeGet: { object[keyPath: path] }, set: { object[keyPath: path] = $0 })
    }
}

/// https://developer.apple.com/documentation/swiftui/environmentvalues
public struct EnvironmentValues {
    var objects: [ObjectIdentifier: AnyObject] = [:]
    var buttonStyle: (@MainActor (ButtonStyleConfiguration, Screen, String) -> [Node])?
    public var dismiss = DismissAction {}
    public var openURL = OpenURLAction { _ in }
    public var colorScheme = ColorScheme.light
    public var isEnabled = true
    public var scenePhase = ScenePhase.active
    public var horizontalSizeClass: UserInterfaceSizeClass? = .compact
    public var verticalSizeClass: UserInterfaceSizeClass? = .regular
    public var accessibilityReduceMotion = false
    public init() {}
}

/// https://developer.apple.com/documentation/swiftui/dismissaction
public struct DismissAction: Sendable {
    let action: @MainActor @Sendable () -> Void
    init(_ action: @escaping @MainActor @Sendable () -> Void) { self.action = action }
    @MainActor public func callAsFunction() { action() }
}

/// https://developer.apple.com/documentation/swiftui/openurlaction
public struct OpenURLAction: Sendable {
    let action: @MainActor @Sendable (URL) -> Void
    init(_ action: @escaping @MainActor @Sendable (URL) -> Void) { self.action = action }
    @MainActor public func callAsFunction(_ url: URL) { action(url) }
}

/// https://developer.apple.com/documentation/swiftui/colorscheme
public enum ColorScheme: Sendable { case light, dark }
/// https://developer.apple.com/documentation/swiftui/userinterfacesizeclass
public enum UserInterfaceSizeClass: Sendable { case compact, regular }
/// https://developer.apple.com/documentation/swiftui/scenephase
public enum ScenePhase: Comparable, Sendable { case background, inactive, active }

/// https://developer.apple.com/documentation/swiftui/environment
@propertyWrapper public struct Environment<Value>: DynamicProperty {
    final class Reference: @unchecked Sendable { var values = EnvironmentValues() }
    let reference = Reference()
    let read: (EnvironmentValues) -> Value
    public init(_ path: KeyPath<EnvironmentValues, Value>) { read = { $0[keyPath: path] } }
    public init(_ type: Value.Type) where Value: AnyObject & Observable {
        read = { values in
            guard let found = values.objects[ObjectIdentifier(type)] as? Value else { fatalError("no \(type) in the environment") }
            return found
        }
    }
    public var wrappedValue: Value { read(reference.values) }
}

extension Environment: Stateful {
    func adopt(_ store: Screen, _ key: String) { reference.values = store.environment }
}

extension View {
    /// https://developer.apple.com/documentation/swiftui/view/environment(_:)
    nonisolated public func environment<T: AnyObject & Observable>(_ object: T?) -> some View {
        nonisolated(unsafe) let object = object
        return within { $0.objects[ObjectIdentifier(T.self)] = object }
    }
}
