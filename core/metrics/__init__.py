"""How alike two pictures are: PSNR, SSIM, LPIPS."""
