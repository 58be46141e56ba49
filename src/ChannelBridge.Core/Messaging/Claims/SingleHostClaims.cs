using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Messaging.Claims;

/// <summary>The claims of a host that shares its store with nobody: all of them, always, at no cost.</summary>
internal sealed class SingleHostClaims : ILaneClaims
{
    /// <summary>The only claim there is.</summary>
    public const long Only = 1;

    public static readonly SingleHostClaims Instance = new();

    private SingleHostClaims()
    {
    }

    public bool IsShared => false;

    public string? Fault => null;

    public Task StartAsync(IClaimObserver observer, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync() => Task.CompletedTask;

    public long Enter(long lane) => Only;

    public bool IsCurrent(long lane, long claim) => true;

    public void Leave(long lane, long claim)
    {
    }

    public void Lost(long lane, long claim)
    {
    }

    public void PassOn(PendingLane lane, long claim)
    {
    }

    public void Want(PendingLane lane)
    {
    }

    public ValueTask<IReadOnlyList<PendingLane>> TakeAsync(IReadOnlyList<PendingLane> lanes, CancellationToken cancellationToken) => ValueTask.FromResult(lanes);

    public void TellPusher(long lane)
    {
    }

    public void TellUrgent(Guid turn)
    {
    }

    public void WantPushes(string channel, string account, long rank, string? holder)
    {
    }

    public void DropPushes(string channel, string account)
    {
    }

    public JsonObject Describe() => new() { ["shared"] = false };
}
