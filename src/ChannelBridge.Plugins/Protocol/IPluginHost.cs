using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using PolyType;
using StreamJsonRpc;

namespace ChannelBridge.Plugins.Protocol;

/// <summary>
/// What a plugin's process calls in the host. Parameters go by name; <c>docs/plugin-protocol.md</c> has an example of each.
/// </summary>
[JsonRpcContract]
[GenerateShape(IncludeMethods = MethodShapeFlags.PublicInstance)]
public partial interface IPluginHost
{
    /// <summary>
    /// Accepts a message once per key. The answer says that it is on disk, with the records in the same commit; a duplicate writes nothing.
    /// </summary>
    [JsonRpcMethod("accept")]
    Task<PluginAccepted> AcceptAsync(
        [Required] PluginInbound message, [Required] string key, [Required] long windowMs, IReadOnlyList<PluginRecordWrite>? records,
        CancellationToken cancellationToken);

    /// <summary>
    /// Says what the platform said about a pushed message. The answer says that the consequence is on disk, with the records in the same commit.
    /// </summary>
    [JsonRpcMethod("ack")]
    Task<string> AckAsync(
        [Required] PluginAck ack, IReadOnlyList<PluginRecordWrite>? records, CancellationToken cancellationToken);

    /// <summary>Sends a message to a platform outside of any turn, once per key.</summary>
    [JsonRpcMethod("send")]
    Task<PluginSent> SendAsync(
        [Required] PluginOutbound message, [Required] string key, IReadOnlyList<PluginRecordWrite>? records,
        CancellationToken cancellationToken);

    /// <summary>Tells that an account's platform can be reached: its messages are pushed from now on.</summary>
    [JsonRpcMethod("attach")]
    Task AttachAsync([Required] string channel, [Required] string accountId, CancellationToken cancellationToken);

    /// <summary>Tells that an account's platform can't be reached: its messages wait.</summary>
    [JsonRpcMethod("detach")]
    Task DetachAsync([Required] string channel, [Required] string accountId, CancellationToken cancellationToken);

    /// <summary>Reports a channel's accounts as they are now.</summary>
    [JsonRpcMethod("accounts")]
    Task ReportAccountsAsync(
        [Required] string channel, [Required] IReadOnlyList<PluginAccount> accounts, CancellationToken cancellationToken);

    /// <summary>A record, or null.</summary>
    [JsonRpcMethod("records.get")]
    Task<PluginRecord?> GetRecordAsync([Required] string ns, [Required] string key, CancellationToken cancellationToken);

    /// <summary>Records by key, after a key, of one index if given.</summary>
    [JsonRpcMethod("records.list")]
    Task<IReadOnlyList<PluginRecord>> ListRecordsAsync(
        [Required] string ns, string? index, string? after, int limit, CancellationToken cancellationToken);

    /// <summary>Changes records, all or nothing but for conflicts. The answer says that it is on disk.</summary>
    [JsonRpcMethod("records.write")]
    Task<IReadOnlyList<PluginRecordWritten>> WriteRecordsAsync(
        [Required] IReadOnlyList<PluginRecordWrite> writes, CancellationToken cancellationToken);

    /// <summary>Appends a value to a numbered log: 1, 2, 3 … without a hole. The answer says that it is on disk.</summary>
    [JsonRpcMethod("logs.append")]
    Task<PluginLogAppended> AppendAsync(
        [Required] string log, [Required] JsonElement value, string? once, long expiresAt, CancellationToken cancellationToken);

    /// <summary>Values of a numbered log behind a number, in order.</summary>
    [JsonRpcMethod("logs.read")]
    Task<IReadOnlyList<PluginLogEntry>> ReadLogAsync([Required] string log, long after, int limit, CancellationToken cancellationToken);

    /// <summary>
    /// Takes a file into the host's spool: the bytes of the plugin's stream. The answer says that it is on disk; its <c>file</c> names it in
    /// the attachments of this account's messages.
    /// </summary>
    [JsonRpcMethod("files.put")]
    Task<PluginAttachment> PutFileAsync(
        [Required] string channel, [Required] string accountId, [Required] long stream, string? fileName, string? mimeType, long? size,
        CancellationToken cancellationToken);

    /// <summary>Opens a file of an attachment: one that was pushed, or that this account has put.</summary>
    [JsonRpcMethod("files.get")]
    Task<PluginFile> GetFileAsync(
        [Required] string channel, [Required] string accountId, [Required] string file, CancellationToken cancellationToken);

    /// <summary>
    /// Runs an agent for a user who reads a stream, beside inbox and outbox. The items of the answer's stream are Open Responses events,
    /// each kept by the host before it is sent. With an id that is known, that run goes on and nothing is started.
    /// </summary>
    [JsonRpcMethod("runs.start")]
    Task<PluginRun> StartRunAsync([Required] PluginRunStart run, CancellationToken cancellationToken);

    /// <summary>The events of a run behind a sequence number; -1 for all.</summary>
    [JsonRpcMethod("runs.read")]
    Task<PluginRun> ReadRunAsync(
        [Required] string channel, [Required] string accountId, [Required] string id, [Required] long after, CancellationToken cancellationToken);

    /// <summary>Cancels a run; nothing happens when it has ended.</summary>
    [JsonRpcMethod("runs.cancel")]
    Task CancelRunAsync([Required] string channel, [Required] string accountId, [Required] string id, CancellationToken cancellationToken);

    /// <summary>Publishes one of the manifest's events to the operators that watch.</summary>
    [JsonRpcMethod("event")]
    Task PublishAsync([Required] string name, [Required] JsonElement payload, CancellationToken cancellationToken);

    /// <summary>
    /// Writes a line into the host's log, under the plugin's name: <c>debug</c>, <c>information</c>, <c>warning</c> or <c>error</c>.
    /// </summary>
    [JsonRpcMethod("log")]
    Task LogAsync([Required] string level, [Required] string text, CancellationToken cancellationToken);

    /// <summary>What diagnostics says of the plugin: one JSON object, no secrets.</summary>
    [JsonRpcMethod("diagnostics")]
    Task ReportDiagnosticsAsync([Required] JsonElement section, CancellationToken cancellationToken);
}
