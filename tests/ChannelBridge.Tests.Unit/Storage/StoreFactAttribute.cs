using Xunit.Abstractions;
using Xunit.Sdk;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>A test of the store contract: skipped, with the reason, for an engine that isn't there (see <see cref="NeedsServerAttribute"/>).</summary>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer("ChannelBridge.Tests.Unit.Storage.StoreFactDiscoverer", "ChannelBridge.Tests.Unit")]
public sealed class StoreFactAttribute : FactAttribute;

/// <inheritdoc cref="StoreFactAttribute"/>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer("ChannelBridge.Tests.Unit.Storage.StoreTheoryDiscoverer", "ChannelBridge.Tests.Unit")]
public sealed class StoreTheoryAttribute : TheoryAttribute;

/// <summary>Marks tests that need a server, named by an environment variable. Without it they are skipped; in CI, where nothing is skipped, they fail.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class NeedsServerAttribute(string variable) : Attribute
{
    /// <summary>The environment variable with the connection string.</summary>
    public string Variable { get; } = variable;

    /// <summary>Why a class's tests are skipped, or null.</summary>
    internal static string? SkipReason(ITestClass tests)
    {
        var needs = tests.Class.GetCustomAttributes(typeof(NeedsServerAttribute)).FirstOrDefault();
        if (needs is null || Environment.GetEnvironmentVariable("CI") == "true") return null;
        var variable = needs.GetNamedArgument<string>(nameof(Variable));
        return string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable)) ? $"{variable} isn't set: no server to test with." : null;
    }
}

/// <summary>Finds tests and skips those that can't run.</summary>
public sealed class StoreFactDiscoverer(IMessageSink sink) : FactDiscoverer(sink)
{
    /// <inheritdoc/>
    protected override IXunitTestCase CreateTestCase(ITestFrameworkDiscoveryOptions discoveryOptions, ITestMethod testMethod, IAttributeInfo factAttribute) =>
        NeedsServerAttribute.SkipReason(testMethod.TestClass) is { } reason
            ? new XunitSkippedDataRowTestCase(
                DiagnosticMessageSink, discoveryOptions.MethodDisplayOrDefault(), discoveryOptions.MethodDisplayOptionsOrDefault(), testMethod, reason)
            : base.CreateTestCase(discoveryOptions, testMethod, factAttribute);
}

/// <inheritdoc cref="StoreFactDiscoverer"/>
public sealed class StoreTheoryDiscoverer(IMessageSink sink) : TheoryDiscoverer(sink)
{
    /// <inheritdoc/>
    public override IEnumerable<IXunitTestCase> Discover(
        ITestFrameworkDiscoveryOptions discoveryOptions, ITestMethod testMethod, IAttributeInfo theoryAttribute) =>
        NeedsServerAttribute.SkipReason(testMethod.TestClass) is { } reason
            ?
            [
                new XunitSkippedDataRowTestCase(
                    DiagnosticMessageSink, discoveryOptions.MethodDisplayOrDefault(), discoveryOptions.MethodDisplayOptionsOrDefault(), testMethod, reason),
            ]
            : base.Discover(discoveryOptions, testMethod, theoryAttribute);
}
