using System.Text.Json;
using ChannelBridge.Plugins.Protocol;

namespace ChannelBridge.Tests.Plugins;

/// <summary>A host that answers what a test tells it.</summary>
internal sealed class FakeHost : IPluginHost
{
    public Func<PluginInbound, string, CancellationToken, Task<PluginAccepted>> OnAccept { get; set; } =
        (_, _, _) => Task.FromResult(new PluginAccepted(Guid.Empty, Duplicate: false));

    public Func<PluginAck, Task<string>> OnAck { get; set; } = _ => Task.FromResult("acked");

    public Func<string, Task<PluginRecord?>> OnGet { get; set; } = _ => Task.FromResult<PluginRecord?>(null);

    public Task<PluginAccepted> AcceptAsync(
        PluginInbound message, string key, long windowMs, IReadOnlyList<PluginRecordWrite>? records, CancellationToken cancellationToken) =>
        OnAccept(message, key, cancellationToken);

    public Task<string> AckAsync(PluginAck ack, IReadOnlyList<PluginRecordWrite>? records, CancellationToken cancellationToken) => OnAck(ack);

    public Task<PluginSent> SendAsync(
        PluginOutbound message, string key, IReadOnlyList<PluginRecordWrite>? records, CancellationToken cancellationToken) =>
        Task.FromResult(new PluginSent(Guid.Empty, Duplicate: false, Seq: 1));

    public Task AttachAsync(string channel, string accountId, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task DetachAsync(string channel, string accountId, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task ReportAccountsAsync(string channel, IReadOnlyList<PluginAccount> accounts, CancellationToken cancellationToken) =>
        Task.CompletedTask;

    public Task<PluginRecord?> GetRecordAsync(string ns, string key, CancellationToken cancellationToken) => OnGet(key);

    public Task<IReadOnlyList<PluginRecord>> ListRecordsAsync(
        string ns, string? index, string? after, int limit, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<PluginRecord>>([]);

    public Task<IReadOnlyList<PluginRecordWritten>> WriteRecordsAsync(
        IReadOnlyList<PluginRecordWrite> writes, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<PluginRecordWritten>>([.. writes.Select(_ => new PluginRecordWritten(Conflict: false, Version: 1))]);

    public Task<PluginLogAppended> AppendAsync(string log, JsonElement value, string? once, long expiresAt, CancellationToken cancellationToken) =>
        Task.FromResult(new PluginLogAppended(1, Duplicate: false));

    public Task<IReadOnlyList<PluginLogEntry>> ReadLogAsync(string log, long after, int limit, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<PluginLogEntry>>([]);

    public Task<PluginAttachment> PutFileAsync(
        string channel, string accountId, long stream, string? fileName, string? mimeType, long? size, CancellationToken cancellationToken) =>
        Task.FromResult(new PluginAttachment { FileName = fileName });

    public Task<PluginFile> GetFileAsync(string channel, string accountId, string file, CancellationToken cancellationToken) =>
        Task.FromResult(new PluginFile(1, 0));

    public Task<PluginRun> StartRunAsync(PluginRunStart run, CancellationToken cancellationToken) => Task.FromResult(new PluginRun("resp_1", 1));

    public Task<PluginRun> ReadRunAsync(string channel, string accountId, string id, long after, CancellationToken cancellationToken) =>
        Task.FromResult(new PluginRun(id, 1));

    public Task CancelRunAsync(string channel, string accountId, string id, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task PublishAsync(string name, JsonElement payload, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task LogAsync(string level, string text, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task ReportDiagnosticsAsync(JsonElement section, CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>A plugin that answers what a test tells it.</summary>
internal sealed class FakePlugin : IPluginProcess
{
    public Func<string, JsonElement, CancellationToken, Task<JsonElement>> OnMethod { get; set; } = (_, parameters, _) =>
        Task.FromResult(parameters);

    public Task<PluginOffer> InitializeAsync(PluginHello hello, CancellationToken cancellationToken) =>
        Task.FromResult(new PluginOffer { Protocol = 1, Plugin = hello.Plugin, Version = hello.Version, Channels = ["chat"] });

    public Task<PluginStarted> StartAsync(PluginStart start, CancellationToken cancellationToken) => Task.FromResult(new PluginStarted
    {
        Accounts = new Dictionary<string, IReadOnlyList<PluginAccount>>
        {
            ["chat"] = [new PluginAccount { AccountId = "Main",
            Connected = true }]
        },
    });

    public Task StopAsync(string reason, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>What a push waits for; without one it is acked in its answer at once.</summary>
    public Func<Task>? OnPush { get; set; }

    public async Task<PluginPushed> PushAsync(
        Guid id, long seq, int attempt, long createdAt, PluginOutbound message, CancellationToken cancellationToken)
    {
        var ack = new PluginAck { Id = id, Channel = message.Channel, AccountId = message.AccountId, Ok = true };
        if (OnPush is null) return new PluginPushed { Outcome = "flushed", Ack = ack };
        await OnPush();
        return new PluginPushed { Outcome = "flushed" };
    }

    public Task<PluginTarget> ResolveTargetAsync(string channel, string accountId, string target, CancellationToken cancellationToken) =>
        Task.FromResult(new PluginTarget(accountId, $"{channel}:{target}", target));

    public Task<string> FormatTargetAsync(string channel, string sessionKey, string route, CancellationToken cancellationToken) =>
        Task.FromResult(route);

    public Task<JsonElement> CallMethodAsync(
        string name, JsonElement parameters, PluginCaller caller, CancellationToken cancellationToken) =>
        OnMethod(name, parameters, cancellationToken);

    public Task<JsonElement> CallToolAsync(
        string name, JsonElement arguments, PluginCaller caller, string? sessionKey,
            CancellationToken cancellationToken) => Task.FromResult(arguments);

    public Task<PluginHttpAnswer> AnswerHttpAsync(PluginRequest request, string? text, long? body, CancellationToken cancellationToken) =>
        Task.FromResult(new PluginHttpAnswer { Text = text });

    public Task<PluginVerdict> AuthorizeAsync(PluginRequest request, CancellationToken cancellationToken) =>
        Task.FromResult(new PluginVerdict { Name = "ann" });

    public Task<PluginSocketOpened> OpenSocketAsync(PluginRequest request, long incoming, string? subprotocol, CancellationToken cancellationToken) =>
        Task.FromResult(new PluginSocketOpened(1));

    public Task TurnEventsAsync(IReadOnlyList<PluginTurnEvent> events, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task<PluginHealth> CheckHealthAsync(CancellationToken cancellationToken) => Task.FromResult(new PluginHealth());
}
