using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Agents;
using ChannelBridge.Agents.ChatCompletions;
using ChannelBridge.Agents.Http;
using ChannelBridge.Agents.Responses;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers agents behind a URL.</summary>
public static class ProviderAgentServices
{
    /// <summary>Adds an agent that answers with what a <c>/v1/responses</c> or a chat completions server says.</summary>
    /// <param name="services">The container.</param>
    /// <param name="options">Its name, kind, URL and the rest.</param>
    /// <exception cref="ArgumentException">The name or the URL is missing, or a bound isn't one.</exception>
    public static IServiceCollection AddProviderAgent(this IServiceCollection services, ProviderOptions options)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrWhiteSpace(options.Name, "options.Name");
        if (options.Url is not { IsAbsoluteUri: true } url || url.Scheme is not ("http" or "https"))
            throw new ArgumentException($"The agent '{options.Name}' needs an http or https address.", nameof(options));
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<IAgent>(provider => Create(
            options, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<ProviderAgent>>()));
        return services;
    }

    internal static ProviderAgent Create(ProviderOptions options, TimeProvider time, ILogger<ProviderAgent> logger)
    {
        var address = ProviderAddress.Of(options.Url!, options.Kind);
        var http = new HttpClient(new SocketsHttpHandler
        {
            ConnectTimeout = options.ConnectTimeout,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            // The key goes to the address that the operator named, and nowhere else.
            AllowAutoRedirect = false,
            UseCookies = false,
        })
        {
            // The turn's clock has the time-outs.
            Timeout = Timeout.InfiniteTimeSpan,
        };
        return options.Kind == AgentKind.Responses
            ? new ResponsesAgent(options, new HttpTransport(http, address), address, time, logger)
            : new ChatCompletionsAgent(options, new OpenAITransport(http, address), address, time, logger);
    }
}
