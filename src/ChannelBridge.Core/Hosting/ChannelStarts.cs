using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Channels;

namespace ChannelBridge.Core.Hosting;

/// <summary>How the start of each channel went: one that failed leaves the others running, and diagnostics says why.</summary>
internal sealed class ChannelStarts
{
    private readonly ConcurrentDictionary<string, string?> _starts = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The channel has started.</summary>
    public void Started(IChannel channel) => _starts[channel.Id] = null;

    /// <summary>It has not.</summary>
    public void Failed(IChannel channel, Exception fault) => _starts[channel.Id] = fault.Message.ReplaceLineEndings(" ");

    /// <summary>True when it runs.</summary>
    public bool Runs(IChannel channel) => _starts.TryGetValue(channel.Id, out var failure) && failure is null;

    /// <summary>Why a channel's start failed, or null.</summary>
    public string? FailureOf(IChannel channel) => _starts.GetValueOrDefault(channel.Id);
}
