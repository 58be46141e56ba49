using ChannelBridge.Abstractions.Settings;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.InstaClaw;

/// <summary>Checks <see cref="InstaClawOptions"/> at start; each message names the key, the fault and an example.</summary>
public sealed class InstaClawOptionsValidator : IValidateOptions<InstaClawOptions>
{
    private const string BrokerExample = "wss://claw.example.com/ws/chat";

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, InstaClawOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var faults = new List<string>();
        Address(faults, "WsUrl", options.WsUrl, options, webSocket: true, BrokerExample);
        Address(faults, "ProfileCreateUrl", options.ProfileCreateUrl, options, webSocket: false, "https://claw.example.com/profiles/create");
        Address(faults, "TaskApiBaseUrl", options.TaskApiBaseUrl, options, webSocket: false, "https://claw.example.com");
        Address(faults, "ArtifactUploadAndBindUrl", options.ArtifactUploadAndBindUrl, options, webSocket: false, "https://claw.example.com/artifact/upload-and-bind");
        Template(faults, "TaskListPath", options.TaskListPath, null, "/tasks");
        Template(faults, "GrabTaskPath", options.GrabTaskPath, "{task_id}", "/tasks/{task_id}/grab");
        Template(faults, "DeliverablePath", options.DeliverablePath, "{task_id}", "/tasks/{task_id}/deliverables");
        if (options.FileUrlTemplate is { } template
            && (!template.Contains("{file_id}", StringComparison.Ordinal)
                || Endpoints.Fault(template.Replace("{file_id}", "id", StringComparison.Ordinal), webSocket: false, options.AllowPlaintext) is not null))
        {
            faults.Add(Fault("FileUrlTemplate", template, "must be an https address with {file_id}", "https://claw.example.com/files/{file_id}"));
        }

        if (string.IsNullOrWhiteSpace(options.Agent)) faults.Add(Fault("Agent", options.Agent, "must name an agent", "echo"));
        if (options.ReconnectMaxDelay < options.ReconnectBaseDelay)
        {
            faults.Add(Fault("ReconnectMaxDelay", options.ReconnectMaxDelay, "is less than ReconnectBaseDelay", "30s"));
        }

        if (options.TimeoutThreshold > TimeSpan.Zero && options.HeartbeatInterval >= options.TimeoutThreshold)
        {
            // Silence would end the connection before the first ping.
            var (interval, threshold) = (SettingText.FormatDuration(options.HeartbeatInterval), SettingText.FormatDuration(options.TimeoutThreshold));
            faults.Add($"{InstaClawOptions.Section}:HeartbeatInterval: {interval} is not less than {InstaClawOptions.Section}:TimeoutThreshold, {threshold}; "
                + $"example: {SettingText.FormatDuration(options.TimeoutThreshold / 3)}");
        }

        foreach (var (id, account) in options.Accounts)
        {
            if (!AccountIds.IsValid(id)) faults.Add(Fault($"Accounts:{id}", id, "must be 1 to 64 letters, digits, '_', '-' or '.'", "main"));
            Address(faults, $"Accounts:{id}:WsUrl", account.WsUrl, options, webSocket: true, BrokerExample);
            if (options.IsOn && account.Enabled && account.WsUrl is null && options.WsUrl is null)
            {
                faults.Add(Fault($"Accounts:{id}:WsUrl", null, "is missing, and so is the channel's", BrokerExample));
            }
        }

        if (options.IsOn && options.Accounts.Count == 0 && options.WsUrl is null) faults.Add(Fault("WsUrl", null, "is missing", BrokerExample));
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }

    private static void Address(List<string> faults, string key, string? value, InstaClawOptions options, bool webSocket, string example)
    {
        if (Endpoints.Fault(value, webSocket, options.AllowPlaintext) is { } wrong) faults.Add(Fault(key, value, wrong, example));
    }

    private static void Template(List<string> faults, string key, string value, string? needed, string example)
    {
        if (!value.StartsWith('/') || (needed is not null && !value.Contains(needed, StringComparison.Ordinal)))
        {
            faults.Add(Fault(key, value, needed is null ? "must begin with /" : $"must begin with / and contain {needed}", example));
        }
    }

    private static string Fault(string key, object? value, string what, string example) =>
        $"{InstaClawOptions.Section}:{key} ('{value}') {what}. Example: {InstaClawOptions.Section}:{key}={example}";
}
