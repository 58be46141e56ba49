using ChannelBridge.Channels.Juji.Connector;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.Juji;

/// <summary>Checks the channel's settings as a whole.</summary>
internal sealed class JujiOptionsValidator : IValidateOptions<JujiOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, JujiOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var faults = new List<string>();
        Address(options.BaseUrl, "BaseUrl", faults);
        var shared = options.Accounts.Where(static account => account.Value is { Enabled: true, EnvFile: null }).Select(static account => account.Key).ToList();
        foreach (var more in shared.Skip(1))
        {
            faults.Add(
                $"{JujiOptions.Section}:Accounts:{more}:EnvFile: {shared[0]} uses the skill's own variables already, and two accounts would be one agent; "
                + $"example: /var/lib/channelbridge/juji/{more}.env");
        }

        var named = options.Accounts.Where(static account => account.Value.EnvFile is not null).GroupBy(static account => account.Value.EnvFile!);
        foreach (var files in named.Where(static files => files.Count() > 1))
        {
            faults.Add(
                $"{JujiOptions.Section}:Accounts:{files.Last().Key}:EnvFile: {files.First().Key} has the same file, and two accounts would be one agent; "
                + $"example: /var/lib/channelbridge/juji/{files.Last().Key}.env");
        }

        foreach (var (id, account) in options.Accounts)
        {
            if (!AccountIds.IsValid(id)) faults.Add($"{JujiOptions.Section}:Accounts:{id}: an account's id has 1 to 64 letters, digits, '-', '_' or '.'; example: shop");
            Address(account.BaseUrl, $"Accounts:{id}:BaseUrl", faults);
            foreach (var (number, route) in account.Routes) Route($"Accounts:{id}:Routes:{number}", route, faults);
        }

        if (options.ReconnectMaxDelay is { } highest && highest < options.ReconnectBaseDelay)
            faults.Add($"{JujiOptions.Section}:ReconnectMaxDelay: it is less than ReconnectBaseDelay; example: 90s");
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }

    private static void Address(string? url, string key, List<string> faults)
    {
        if (url is null || CommunityAddress.TryParse(url, out _)) return;
        faults.Add($"{JujiOptions.Section}:{key}: it must be an http or https address without user, query or fragment; example: https://juji.example.org");
    }

    private static void Route(string key, JujiRouteOptions route, List<string> faults)
    {
        if (LeadsToTheGateway(route.To) || LeadsToTheGateway(route.Answer))
        {
            faults.Add(
                $"{JujiOptions.Section}:{key}:{(LeadsToTheGateway(route.To) ? "To" : "Answer")}: a session of the gateway is no target; "
                + $"what is for the gateway goes to the agent openclaw; example: {JujiOptions.Section}:{key}:To=agent");
            return;
        }

        if (route.To is not (PushRoutes.Agent or PushRoutes.Drop) && PushRoutes.TargetOf(route.To) is null)
            faults.Add($"{JujiOptions.Section}:{key}:To: it is agent, drop, or CHANNEL:TARGET, and the channel isn't juji; example: bncr:qq:10001:20002");
        if (route.Answer is not { } answer) return;
        if (PushRoutes.TargetOf(answer) is null) faults.Add($"{JujiOptions.Section}:{key}:Answer: it is CHANNEL:TARGET, and the channel isn't juji; example: bncr:qq:10001:20002");
        else if (route.To != PushRoutes.Agent) faults.Add(
            $"{JujiOptions.Section}:{key}:Answer: only the agent answers, and To isn't agent; example: {JujiOptions.Section}:{key}:To=agent");
    }

    private static bool LeadsToTheGateway(string? target) => target is not null && PushRoutes.TargetOf(target)?.Channel == "openclaw";
}
