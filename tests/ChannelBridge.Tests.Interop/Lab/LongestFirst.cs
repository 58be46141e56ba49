using Xunit.Abstractions;

[assembly: TestCollectionOrderer("ChannelBridge.Tests.Interop.Lab.LongestFirst", "ChannelBridge.Tests.Interop")]

namespace ChannelBridge.Tests.Interop.Lab;

/// <summary>The tests with gateways take longest: their two collections begin first, side by side, and all others follow.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    /// <inheritdoc/>
    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderBy(static collection => collection.DisplayName is InteropCollection.Name or GatewaysCollection.Name ? 0 : 1);
}
