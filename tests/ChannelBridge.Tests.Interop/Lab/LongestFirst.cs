using Xunit.Abstractions;

[assembly: TestCollectionOrderer("ChannelBridge.Tests.Interop.Lab.LongestFirst", "ChannelBridge.Tests.Interop")]

namespace ChannelBridge.Tests.Interop.Lab;

/// <summary>The tests with gateways take longest: their collections begin first, as many side by side as may run, and all others follow.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string[] First = [InteropCollection.Name, GatewaysCollection.Name, PackagesCollection.Name];

    /// <inheritdoc/>
    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderBy(static collection => Array.IndexOf(First, collection.DisplayName) is var at and >= 0 ? at : First.Length);
}
