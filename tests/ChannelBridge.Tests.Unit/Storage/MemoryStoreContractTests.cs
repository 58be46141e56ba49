using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>The contract on the store that other tests stand on: what they prove is worth as much as it behaves like the engines.</summary>
public sealed class MemoryStoreContractTests : StoreContractTests
{
    private MemoryStore? _store;

    protected override IStore Create() => _store ??= new MemoryStore(Time) { ChecksClaims = true };
}
