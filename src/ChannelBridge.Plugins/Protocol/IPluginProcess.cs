using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using PolyType;
using StreamJsonRpc;

namespace ChannelBridge.Plugins.Protocol;

/// <summary>
/// What the host calls in a plugin's process. Parameters go by name; <c>docs/plugin-protocol.md</c> has an example of each.
/// </summary>
[JsonRpcContract]
[GenerateShape(IncludeMethods = MethodShapeFlags.PublicInstance)]
public partial interface IPluginProcess
{
    /// <summary>The first call: versions, and what the process offers.</summary>
    [JsonRpcMethod("initialize")]
    Task<PluginOffer> InitializeAsync([Required] PluginHello hello, CancellationToken cancellationToken);

    /// <summary>Starts the channels. Messages may be accepted from here on.</summary>
    [JsonRpcMethod("start")]
    Task<PluginStarted> StartAsync([Required] PluginStart start, CancellationToken cancellationToken);

    /// <summary>Stops the channels; no message is accepted after the answer. The process ends itself then.</summary>
    [JsonRpcMethod("stop")]
    Task StopAsync([Required] string reason, CancellationToken cancellationToken);

    /// <summary>Hands over a message for the platform. It comes again, under the same id, until it is acked.</summary>
    [JsonRpcMethod("push")]
    Task<PluginPushed> PushAsync(
        [Required] Guid id, [Required] long seq, [Required] int attempt, [Required] long createdAt, [Required] PluginOutbound message,
            CancellationToken cancellationToken);

    /// <summary>Resolves where a send goes: a target as people write it.</summary>
    [JsonRpcMethod("resolveTarget")]
    Task<PluginTarget> ResolveTargetAsync(
        [Required] string channel, [Required] string accountId, [Required] string target, CancellationToken cancellationToken);

    /// <summary>The target that people would write for a conversation.</summary>
    [JsonRpcMethod("formatTarget")]
    Task<string> FormatTargetAsync(
        [Required] string channel, [Required] string sessionKey, [Required] string route, CancellationToken cancellationToken);

    /// <summary>Calls one of the plugin's methods. The answer is the method's result.</summary>
    [JsonRpcMethod("method")]
    Task<JsonElement> CallMethodAsync(
        [Required] string name, [Required] JsonElement parameters, [Required] PluginCaller caller, CancellationToken cancellationToken);

    /// <summary>Calls one of the plugin's tools. The answer is the tool's result.</summary>
    [JsonRpcMethod("tool")]
    Task<JsonElement> CallToolAsync(
        [Required] string name, [Required] JsonElement arguments, [Required] PluginCaller caller, string? sessionKey,
            CancellationToken cancellationToken);

    /// <summary>
    /// Answers a request to one of the manifest's endpoints. Its body is <paramref name="text"/> when it is text of at most 64 KiB, else the
    /// bytes of the host's stream <paramref name="body"/>.
    /// </summary>
    [JsonRpcMethod("http")]
    Task<PluginHttpAnswer> AnswerHttpAsync([Required] PluginRequest request, string? text, long? body, CancellationToken cancellationToken);

    /// <summary>Decides about a request to an endpoint whose access is <c>plugin</c>, before its body is read.</summary>
    [JsonRpcMethod("authorize")]
    Task<PluginVerdict> AuthorizeAsync([Required] PluginRequest request, CancellationToken cancellationToken);

    /// <summary>
    /// Hands over a WebSocket. The client's messages are the items of the host's stream <paramref name="incoming"/>; the answer names the
    /// stream of the other direction. The one that ends last ends the socket.
    /// </summary>
    [JsonRpcMethod("socket")]
    Task<PluginSocketOpened> OpenSocketAsync(
        [Required] PluginRequest request, [Required] long incoming, string? subprotocol, CancellationToken cancellationToken);

    /// <summary>
    /// Tells what happens in turns of messages that asked for it. One call at a time; meanwhile partial texts are joined.
    /// </summary>
    [JsonRpcMethod("turnEvents")]
    Task TurnEventsAsync([Required] IReadOnlyList<PluginTurnEvent> events, CancellationToken cancellationToken);

    /// <summary>The heartbeat.</summary>
    [JsonRpcMethod("health")]
    Task<PluginHealth> CheckHealthAsync(CancellationToken cancellationToken);
}
