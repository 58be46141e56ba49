using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Core.Hosting;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the registry.</summary>
internal static class RegistryServices
{
    /// <summary>Adds the registry; whoever owns the start fills it.</summary>
    public static IServiceCollection AddRegistry(this IServiceCollection services)
    {
        services.TryAddSingleton<IRegistry>(_ => new Registry());
        return services;
    }
}
