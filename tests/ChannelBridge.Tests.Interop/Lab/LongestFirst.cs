using Xunit.Abstractions;

[assembly: TestCollectionOrderer("ChannelBridge.Tests.Interop.Lab.LongestFirst", "ChannelBridge.Tests.Interop")]

namespace ChannelBridge.Tests.Interop.Lab;

/// <summary>The tests that share one gateway take longest and run one after the other: they begin first, and all others run beside them.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    /// <inheritdoc/>
    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderBy(static collection => collection.DisplayName == InteropCollection.Name ? 0 : 1);
}
