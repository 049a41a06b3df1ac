"""Cycles that others measured on wafer-scale engines: a few rows of each set, as cited facts, with their sources."""

SOURCES = {
    "summa_f32_cs2_hardware.csv": (
        "a physical CS-2 (WSE-2), SUMMA of the vendor's SDK examples (gemm-collectives_2d), fp32, n x n tiles on P x P"
        " cores: public repository lingzhi227/MIMD_dataflow, DataflowProgramming/Systolic_Mul; cycles are microseconds"
        " times 850, as its authors divide by 0.85"
    ),
    "meshgemm_fp16_wse3_simfabric.csv": (
        "the vendor's cycle-accurate simulator, WSE-3, MeshGEMM of WaferLLM (He et al., OSDI 2025, arXiv 2502.04563),"
        " fp16: communication alone, the full kernel, and the kernel with its compute doubled"
    ),
    "reduce_1d_wse2_simfabric.csv": (
        "the vendor's cycle-accurate simulator, WSE-2, 512 cores and 4096 32-bit words: public repository"
        " pr0f3ss/SpMM_Cerebras, src/mpi_collectives; value is the root's time stamp less 48"
    ),
    "waferllm_osdi25_tables.csv": (
        "CS-2, WaferLLM (He et al., OSDI 2025, arXiv 2502.04563), tables 2 to 8: tokens a second of language models"
    ),
}

ROWS = {
    "summa_f32_cs2_hardware.csv": """\
P,tile_n,cycles,flag
1,46,300702,
4,46,1199071,
32,4,29302,
32,8,97929,
32,16,478344,
32,32,3118388,
32,46,9581644,
64,4,58503,
64,16,955265,
64,32,6235872,
100,46,29939546,
""",
    "meshgemm_fp16_wse3_simfabric.csv": """\
P,M,K,N,Mt,Kt,Nt,cycles_comm_only_L0,cycles_full_L1,cycles_2xcompute_L2
3,3,24,24,1,8,8,523.98,2095.84,3715.98
3,24,24,24,8,8,8,619.87,2211.71,3831.67
3,36,24,24,12,8,8,707.71,2631.11,4615.42
3,48,24,24,16,8,8,813.58,2801.44,4823.89
6,6,48,48,1,8,8,1032.76,4171.06,7412.32
6,24,48,48,4,8,8,1108.64,4283.93,7614.43
6,48,48,48,8,8,8,1262.8,4444.65,7684.91
6,72,48,48,12,8,8,1467.72,5303.8,9275.8
6,96,48,48,16,8,8,1723.06,5675.79,9727.57
""",
    "reduce_1d_wse2_simfabric.csv": """\
P,B_wavelets,step,algorithm,measured_cycles
512,4096,8,two-phase,9117
512,4096,128,two-phase,9297
512,4096,512,chain,7218
""",
    "waferllm_osdi25_tables.csv": """\
phase,model,layers,grid,ctx_in,ctx_out,system,tokens_per_s
decode,LLaMA3-8B,32,420x420,4096,,WaferLLM,2699.9
decode,LLaMA3-8B,32,540x540,4096,,WaferLLM,2501.5
decode,LLaMA3-8B,32,660x660,4096,,WaferLLM,2243.3
decode,LLaMA2-13B,40,420x420,4096,,WaferLLM,2039.2
prefill,LLaMA3-8B,32,480x480,4096,,WaferLLM,20320.6
prefill,LLaMA3-8B,32,600x600,4096,,WaferLLM,25037.2
prefill,LLaMA3-8B,32,720x720,4096,,WaferLLM,27686.5
""",
}
