using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;

namespace ChannelBridge.Channels.Aun;

/// <summary>The channel <c>aun</c>: its parts under one name. Lanes are <c>aun:&lt;own aid&gt;:&lt;other aid&gt;</c> on both sides.</summary>
internal sealed class AunChannel(IEnumerable<IAunPart> parts) : IChannel, IDiagnosticsSource
{
    public const string ChannelId = "aun";

    private readonly IAunPart[] _parts = [.. parts];

    public string Id => ChannelId;

    public string Section => ChannelId;

    public bool CanSend => _parts.Any(static part => part.IsOn);

    public AccountSpelling Spelling { get; } = new() { MaxLength = 255 };

    public IEnumerable<RpcMethod> Methods => _parts.SelectMany(static part => part.Methods);

    /// <summary>The lane of a conversation, and what people write for it.</summary>
    public static string SessionKeyOf(string own, string other) => $"{ChannelId}:{own}:{other}";

    public async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        foreach (var part in _parts.Where(static part => part.IsOn)) await part.StartAsync(cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask StopAsync(CancellationToken cancellationToken)
    {
        foreach (var part in _parts.Where(static part => part.IsOn)) await part.StopAsync(cancellationToken).ConfigureAwait(false);
    }

    public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [.. _parts.Where(static part => part.IsOn).SelectMany(static part => part.GetAccounts())];

    /// <inheritdoc/>
    /// <remarks>A target is <c>aun:OWN:OTHER</c>, or the other's AID where the account is named or there is only one.</remarks>
    public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken)
    {
        var text = target.Trim();
        if (text.StartsWith(ChannelId + ":", StringComparison.OrdinalIgnoreCase)) text = text[(ChannelId.Length + 1)..];
        if (text.IndexOf(':', StringComparison.Ordinal) is var colon and > 0)
        {
            var own = text[..colon];
            text = text[(colon + 1)..];
            if (accountId.Length == 0) accountId = own;
        }

        var owners = _parts.Where(part => part.IsOn && part.Owns(accountId)).ToArray();
        if (owners.Length != 1)
        {
            throw BridgeException.Invalid(accountId.Length == 0
                ? "name the account that sends; a target of AUN is the receiver's AID, such as alice.example.org"
                : "there is no such account of AUN");
        }

        return owners[0].ResolveTargetAsync(accountId, text, cancellationToken);
    }

    public async ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken)
    {
        var all = new JsonObject();
        foreach (var part in _parts.Where(static part => part.IsOn)) all[part.Name] = await part.CollectAsync(cancellationToken).ConfigureAwait(false);
        return all;
    }
}
