using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Agents.ChatClient;
using Microsoft.Extensions.AI;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers chat clients as agents.</summary>
public static class ChatClientServices
{
    /// <summary>Makes a chat client an agent. The client stays its owner's: it isn't disposed.</summary>
    /// <param name="services">The container.</param>
    /// <param name="name">The name by which channels, accounts and requests choose it.</param>
    /// <param name="client">The client.</param>
    /// <param name="configure">Sets the options.</param>
    public static IServiceCollection AddChatClientAgent(
        this IServiceCollection services, string name, IChatClient client, Action<ChatClientAgentOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        return services.AddChatClientAgent(name, _ => client, configure);
    }

    /// <summary>Makes a chat client of the container an agent.</summary>
    /// <param name="services">The container.</param>
    /// <param name="name">The name by which channels, accounts and requests choose it.</param>
    /// <param name="client">Gives the client; called once.</param>
    /// <param name="configure">Sets the options.</param>
    public static IServiceCollection AddChatClientAgent(
        this IServiceCollection services, string name, Func<IServiceProvider, IChatClient> client, Action<ChatClientAgentOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(client);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        var options = new ChatClientAgentOptions();
        configure?.Invoke(options);
        services.AddSingleton<IAgent>(provider => new ChatClientAgent(name, client(provider), options));
        return services;
    }
}
